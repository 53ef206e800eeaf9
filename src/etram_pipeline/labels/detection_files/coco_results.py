"""COCO's results format: a list of `{image_id, category_id, bbox, score}`.

Boxes are left, top, width and height in px of the image, which has the size that the annotation
file states, or else that of the sensor. Frames without a detection are absent from the list, so
absence means that nothing was found.

Source: COCO, https://cocodataset.org/#format-results, "Object Detection".
"""

import json
import logging
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from etram_pipeline.core.counts import counted, counted_of
from etram_pipeline.core.errors import LabelError
from etram_pipeline.core.recording_key import RecordingKey, in_splits
from etram_pipeline.labels.detection_files.coco_images import (
    Annotations,
    Moment,
    named_moment,
    read_annotations,
)
from etram_pipeline.labels.detection_files.known import FoundDetections, KnownRecordings
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable

logger = logging.getLogger(__name__)

_START = 64
_LARGEST = int(np.iinfo(DETECTION_DTYPE["class_id"]).max)
_BLANK = b" \t\r\n\xef\xbb\xbf"


def is_json(path: Path) -> bool:
    """Whether a file may be JSON."""
    with path.open("rb") as file:
        return file.read(_START).lstrip(_BLANK)[:1] in {b"[", b"{"}


def read_results(path: Path, known: KnownRecordings) -> FoundDetections:
    """Detections of all labelled recordings that the images belong to.

    Raises:
        LabelError: If an entry is incomplete, or nothing says which moment an image shows.
    """
    entries = _read_entries(path)
    annotations = None if known.images is None else read_annotations(known.images, known)
    moments = _find_moments(entries.images, path, annotations, known)
    covered = _covered(moments, annotations, known)
    if entries.images and not any(moment.key for moment in moments):
        raise LabelError(
            f"{path}: no image belongs to a labelled recording; the images show "
            f"{_some(list(dict.fromkeys(each.recording for each in moments)))}, and the "
            f"recordings are {known.some()}"
        )
    _tell_unlabelled(path, moments)
    tables = dict.fromkeys(sorted(covered), np.zeros(0, DETECTION_DTYPE)) | _tables(
        entries, moments
    )
    _tell_empty(path, tables, annotations)
    names = annotations.names if annotations is not None else {}
    return FoundDetections(tables, names or _names_by_position(entries, known, path))


class _Entries:
    """Entries of a results file, in arrays."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number_of_image: dict[int | str, int] = {}
        self._numbers, self._categories = array("q"), array("q")
        self._boxes, self._scores = array("d"), array("d")

    def take(self, item: dict[str, Any]) -> dict[str, Any] | None:
        """Keep an entry; other objects, such as run lengths of a mask, are returned."""
        if "image_id" not in item:
            return item
        try:
            left, top, width, height = item["bbox"]
            self._boxes.extend((left, top, width, height))
            self._scores.append(item["score"])
            self._categories.append(item["category_id"])
            image = item["image_id"]
            number = self._number_of_image.setdefault(image, len(self._number_of_image))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise LabelError(
                f"{self._path}: entry {len(self._numbers) + 1} is {str(item)[:120]}, but must have "
                "image_id, category_id (a whole number), bbox (left, top, width and height) and "
                "score"
            ) from error
        self._numbers.append(number)
        return None

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def images(self) -> list[int | str]:
        """Ids of the images, each once."""
        return list(self._number_of_image)

    @property
    def image_numbers(self) -> np.ndarray:
        """Place of each entry's image in `images`."""
        return np.array(self._numbers, np.int64)

    @property
    def categories(self) -> np.ndarray:
        """Category id of each entry."""
        return np.array(self._categories, np.int64)

    @property
    def boxes_xywh(self) -> np.ndarray:
        """Box of each entry, in px of its image."""
        return np.array(self._boxes).reshape(-1, 4)

    @property
    def scores(self) -> np.ndarray:
        """Score of each entry."""
        return np.array(self._scores)


def _read_entries(path: Path) -> _Entries:
    entries = _Entries(path)
    try:
        content = json.loads(path.read_bytes(), object_hook=entries.take)
    except LabelError:
        raise
    except (ValueError, RecursionError) as error:
        raise LabelError(f"{path} is no JSON: {error}; it may be truncated") from error
    if not isinstance(content, list) or len(content) != len(entries):
        found = (
            f"an object with the keys {', '.join(content)}"
            if isinstance(content, dict)
            else f"a list of {len(content)} items, of which {len(entries)} have an `image_id`"
            if isinstance(content, list)
            else "one entry"
        )
        raise LabelError(
            f"{path} holds {found}, but COCO's results are a list of entries with image_id, "
            "category_id, bbox and score"
        )
    low, high = entries.categories.min(initial=0), entries.categories.max(initial=0)
    if low < 0 or high > _LARGEST:
        raise LabelError(
            f"{path} has category ids from {low} to {high}, but ids are from 0 to {_LARGEST}"
        )
    return entries


def _find_moments(
    images: list[int | str], path: Path, annotations: Annotations | None, known: KnownRecordings
) -> list[Moment]:
    found = [
        annotations.find(image) if annotations is not None else named_moment(str(image), known)
        for image in images
    ]
    moments = [moment for moment in found if moment is not None]
    if len(moments) == len(images):
        return moments
    lacking = [image for image, moment in zip(images, found, strict=True) if moment is None]
    what = f"{path} has {counted_of(len(lacking), len(images), 'image')} ({_some(lacking)})"
    if annotations is not None:
        raise LabelError(
            f"{what} that {annotations.path} does not have; its images are "
            f"{_some(list(annotations.moments))}: give the annotation file that the images were "
            "numbered with"
        )
    raise LabelError(
        f"{what} of which nothing says which moment of which recording they show: give the "
        "annotation file that the images were numbered with, by `--params "
        "detections=…,detections_images=<instances.json>`, such as "
        "annotations/instances_test.json, which `export` writes; or name images "
        "<recording>_<time in microseconds>; or give one table for each recording, as .npy or "
        ".parquet"
    )


def _covered(
    moments: list[Moment], annotations: Annotations | None, known: KnownRecordings
) -> set[str]:
    """Recordings in which a detector looked for objects."""
    if annotations is not None:
        return {moment.key for moment in annotations.moments.values()} - {""}
    if not moments:
        return set(known.keys)
    splits = {RecordingKey.parse(moment.key).split for moment in moments if moment.key}
    return set(in_splits(known.keys, splits))


def _tables(entries: _Entries, moments: list[Moment]) -> dict[str, DetectionTable]:
    keys = sorted({moment.key for moment in moments})
    place = {key: number for number, key in enumerate(keys)}
    images = entries.image_numbers
    key_numbers = np.array([place[moment.key] for moment in moments], np.int64)[images]
    times_us = np.array([moment.time_us for moment in moments], np.int64)[images]
    scales = np.array([moment.scale * 2 for moment in moments]).reshape(-1, 4)[images]
    table = np.zeros(len(entries), DETECTION_DTYPE)
    table["t"] = times_us
    for name, side in zip("xywh", (entries.boxes_xywh * scales).T, strict=True):
        table[name] = side
    table["class_id"] = entries.categories
    for name in ("score", "class_score", "class_confidence"):
        table[name] = entries.scores
    table["objectness"] = 1
    order = np.lexsort((times_us, key_numbers))
    bounds = np.searchsorted(key_numbers[order], np.arange(len(keys) + 1))
    parts = (table[order[bounds[place] : bounds[place + 1]]] for place in range(len(keys)))
    return {key: part for key, part in zip(keys, parts, strict=True) if key}


def _names_by_position(
    entries: _Entries, known: KnownRecordings, path: Path
) -> Mapping[int, str] | None:
    """Names of categories of which only the numbers are known.

    Raises:
        LabelError: If they may count from 0 or from 1.
    """
    classes = known.dataset.detected_classes
    ids = np.unique(entries.categories).tolist()
    if not ids or ids[0] <= 0 or ids[-1] > len(classes):
        return None  # positions from 0, or refused as such
    numbered = ", ".join(f"{number} {name}" for number, name in enumerate(classes, start=1))
    if ids[-1] < len(classes):
        raise LabelError(
            f"{path} has the category ids {', '.join(map(str, ids))}, which may count the "
            f"{len(classes)} classes of `dataset` from 0 or from 1: give an annotation file "
            "with `categories` by `detections_images=<instances.json>`"
        )
    logger.warning(
        "%s numbers its categories from 1 and names none; they are taken for %s; to be sure, give "
        "an annotation file with `categories` by `detections_images=…`",
        path,
        numbered,
    )
    return dict(enumerate(classes, start=1))


def _tell_unlabelled(path: Path, moments: list[Moment]) -> None:
    others = sum(not moment.key for moment in moments)
    if others:
        logger.warning(
            "%s: %s belong to no labelled recording and are not read",
            path,
            counted_of(others, len(moments), "image"),
        )


def _tell_empty(
    path: Path, tables: Mapping[str, DetectionTable], annotations: Annotations | None
) -> None:
    empty = [key for key, table in tables.items() if len(table) == 0]
    if empty and annotations is None:
        logger.warning(
            "%s has no detection in %s of the same split (%s): this is taken to mean that nothing "
            "was found there",
            path,
            counted(len(empty), "labelled recording"),
            ", ".join(empty[:3]) + (" …" if len(empty) > 3 else ""),  # noqa: PLR2004
        )


def _some(images: Sequence[int | str]) -> str:
    kind = "whole numbers" if all(isinstance(image, int) for image in images) else "names"
    if len(images) > 3:  # noqa: PLR2004
        return f"{kind} such as {images[0]!r}, {images[1]!r} and {images[-1]!r}"
    return ", ".join(map(repr, images))

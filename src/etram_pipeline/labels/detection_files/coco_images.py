"""Which image of a COCO file is which moment of which recording.

An image states it by its fields `recording` and `t_us`, as those of the `export` pipeline do, or by
its name: `<recording>_<time in microseconds>`, with any suffix.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import LabelError
from etram_pipeline.labels.detection_files.known import KnownRecordings
from etram_pipeline.labels.detections import DETECTION_DTYPE

_NAMED = re.compile(r"(?P<recording>.+)_(?P<time>\d{1,20})", re.DOTALL)
_LATEST_US = int(np.iinfo(DETECTION_DTYPE["t"]).max)

HOW_TO_NAME = (
    "name images <recording>_<time in microseconds>, or give each image in the annotation file "
    "its `recording` (<name> or <split>/<name>) and its time `t_us`"
)


@dataclass(frozen=True)
class Moment:
    """A moment of a recording, and the size of its picture.

    Attributes:
        key: The recording; empty if it is not labelled.
        time_us: The time, in microseconds.
        scale: Columns and rows of the sensor per pixel of the picture.
        recording: The recording as the file names it.
    """

    key: str
    time_us: int
    scale: tuple[float, float] = (1.0, 1.0)
    recording: str = ""


@dataclass(frozen=True)
class Annotations:
    """What a COCO annotation file says about images and categories.

    Attributes:
        path: The file.
        moments: Moment of each image, by its id.
        id_of_name: Id of each image, by its file name, with and without folder and suffix.
        names: Name of each category, by its id; empty if the file has none.
    """

    path: Path
    moments: Mapping[int | str, Moment]
    id_of_name: Mapping[str, int | str]
    names: Mapping[int, str]

    def find(self, image: int | str) -> Moment | None:
        """The moment of an image, by its id or its name; None if the file does not have it."""
        if image in self.moments:
            return self.moments[image]
        text = str(image)
        found = next(
            (self.id_of_name[each] for each in _forms(text) if each in self.id_of_name), None
        )
        return None if found is None else self.moments[found]


def read_annotations(path: Path, known: KnownRecordings) -> Annotations:
    """Images and categories of a COCO annotation file; its annotations are not kept.

    Raises:
        LabelError: If it is no annotation file, or does not say which moment an image shows.
    """
    content = _content(path)
    moments: dict[int | str, Moment] = {}
    id_of_name: dict[str, int | str] = {}
    for image in content["images"]:
        number = image.get("id") if isinstance(image, dict) else None
        if not isinstance(number, int | str):
            raise LabelError(f"{path} has an image without an `id`: {str(image)[:80]}")
        if number in moments:
            raise LabelError(f"{path} has two images with the id {number}: number them differently")
        moments[number] = _moment(image, path, known)
        for form in _forms(str(image.get("file_name", ""))):
            id_of_name.setdefault(form, number)
    _refuse_repeated(moments, path)
    return Annotations(path, moments, id_of_name, _categories(content, path))


def named_moment(name: str, known: KnownRecordings) -> Moment | None:
    """The moment that the name of an image states; None if it states none."""
    file = PurePath(name)
    found = _NAMED.fullmatch(_stem(file))
    if found is None or int(found["time"]) > _LATEST_US:
        return None
    key = known.find(file.with_name(found["recording"] + ".png"))
    return Moment(key or "", int(found["time"]), recording=found["recording"])


def _stem(file: PurePath) -> str:
    """A name without a suffix of pictures; recordings may have dots in their names."""
    return re.sub(r"\.(png|jpe?g|bmp|tiff?|webp|npy)\Z", "", file.name, flags=re.IGNORECASE)


def _forms(name: str) -> tuple[str, ...]:
    file = PurePath(name)
    return (name, file.name, _stem(file)) if name else ()


def _content(path: Path) -> dict[str, Any]:
    try:
        # Annotations are most of the file.
        content = json.loads(
            path.read_bytes(), object_hook=lambda item: None if "image_id" in item else item
        )
    except OSError as error:
        raise LabelError(
            f"{path}, the annotation file of the images, cannot be read: {error}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise LabelError(
            f"{path}, the annotation file of the images, is no JSON: {error}"
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        found = f"the keys {', '.join(content)}" if isinstance(content, dict) else "a list"
        raise LabelError(
            f"{path} has {found}, but a COCO annotation file has `images` and `categories`"
        )
    return content


def _moment(image: Mapping[str, Any], path: Path, known: KnownRecordings) -> Moment:
    scale = _scale(image, path, known.dataset)
    recording, time_us = image.get("recording"), _whole_us(image.get("t_us"))
    if isinstance(recording, str) and time_us is not None:
        return Moment(_key(recording, known), time_us, scale, recording)
    name = image.get("file_name", "")
    found = named_moment(str(name), known)
    if found is None:
        raise LabelError(
            f"{path} does not say which moment image {image['id']} ({name!r}) shows: {HOW_TO_NAME}"
        )
    return Moment(found.key, found.time_us, scale, found.recording)


def _whole_us(value: object) -> int | None:
    """A time in microseconds; None if it is no whole number, or too large to be stored."""
    if not isinstance(value, int | float) or not abs(value) <= _LATEST_US:
        return None
    return int(value) if float(value).is_integer() else None


def _key(recording: str, known: KnownRecordings) -> str:
    """The labelled recording of that name, with or without its split; empty if there is none."""
    if recording in known:
        return recording
    return "" if "/" in recording else known.find(PurePath(f"{recording}.png")) or ""


def _scale(image: Mapping[str, Any], path: Path, dataset: DatasetSettings) -> tuple[float, float]:
    """Columns and rows of the sensor per pixel of a picture; 1 if its size is unknown."""
    width, height = image.get("width"), image.get("height")
    if width is None or height is None:
        return 1.0, 1.0
    if not all(isinstance(side, int | float) and 0 < side < math.inf for side in (width, height)):
        raise LabelError(f"{path} has an image of {width} x {height} px (width x height)")
    factor = max(1, round(dataset.width / width))
    if (-(-dataset.width // factor), -(-dataset.height // factor)) == (width, height):
        return float(factor), float(factor)
    across, down = dataset.width / width, dataset.height / height
    if abs(across * height - dataset.height) > max(1.0, across):
        raise LabelError(
            f"{path} has images of {width} x {height} px (width x height), which do not have the "
            f"proportions of the sensor of {dataset.width} x {dataset.height} px: give boxes "
            "in px of the sensor, and its size for all images"
        )
    return across, down


def _categories(content: Mapping[str, Any], path: Path) -> dict[int, str]:
    found: dict[int, str] = {}
    for each in content.get("categories") or ():
        number, name = (
            (each.get("id"), each.get("name")) if isinstance(each, dict) else (None, None)
        )
        if not isinstance(number, int) or name is None:
            raise LabelError(
                f"{path} has a category without `id`, a whole number, or `name`: {str(each)[:80]}"
            )
        if number in found:
            raise LabelError(
                f"{path} has two categories with the id {number}, {found[number]} and {name}: "
                "number them differently"
            )
        found[number] = str(name)
    return found


def _refuse_repeated(moments: Mapping[int | str, Moment], path: Path) -> None:
    first: dict[tuple[str, int], int | str] = {}
    for number, moment in moments.items():
        place = (moment.key, moment.time_us)
        if moment.key and place in first:
            raise LabelError(
                f"{path}: images {first[place]} and {number} both show {moment.key} at "
                f"{moment.time_us} us: keep one of them"
            )
        first[place] = number

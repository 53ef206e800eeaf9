"""The same curves by the libraries others use; the only file that knows them.

They prove ours right and show what it saves; both take a dictionary for every box.
"""

import contextlib
import io
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from etram_pipeline.core.errors import LabelError, SettingsError
from etram_pipeline.core.run_lengths import RunLengths, decode_masks, encode_masks, mask_area
from etram_pipeline.evaluation.curves import Curves, Outcome, area_bounds
from etram_pipeline.evaluation.matching import FrameBoxes, Frames
from etram_pipeline.evaluation.protocol import Protocol

Library = Literal["pycocotools", "faster_coco_eval"]
Overlap = Literal["bbox", "segm"]
"""What overlaps: boxes or masks; the names are COCO's."""

_MOST_LACKING_PX = 8
"""Masks of detections may lack the last rows and columns, which do not fill a representation's."""


def library_curves(
    frames: Frames,
    num_classes: int,
    protocol: Protocol,
    library: Library,
    overlap: Overlap = "bbox",
) -> Curves:
    """As `compute_curves`, by `library`.

    Args:
        frames: Labels and detections; class ids are positions among the `num_classes` that count.
        num_classes: Number of classes.
        protocol: How they are compared.
        library: The library to use.
        overlap: Whether boxes or masks (`segm`) overlap.

    Raises:
        SettingsError: If the library is not installed.
        LabelError: If masks of labels and detections differ in size.
    """
    evaluation = _evaluated(frames, num_classes, protocol, library, overlap)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    return Curves(
        np.asarray(evaluation.eval["precision"], np.float64)[..., -1],
        np.asarray(evaluation.eval["recall"], np.float64),
    )


def match_masks(frames: Frames, num_classes: int, protocol: Protocol) -> Iterator[Outcome]:
    """As `match_classes`, but detections and labels overlap by their masks.

    Source: pycocotools, `COCOeval.accumulate`.

    Raises:
        LabelError: If masks of labels and detections differ in size.
    """
    evaluation = _evaluated(frames, num_classes, protocol, "pycocotools", "segm")
    images = evaluation.evalImgs
    for start in range(0, len(images), max(len(frames), 1)):
        of_frames = images[start : start + len(frames)]
        yield _outcome([(frame, each) for frame, each in enumerate(of_frames) if each], protocol)


def _outcome(images: list[tuple[int, dict[str, Any]]], protocol: Protocol) -> Outcome:
    """Outcome of one class and range of areas, from what pycocotools notes for each frame."""
    num_ious = len(protocol.iou_thresholds)
    scores = np.array([score for _, image in images for score in image["dtScores"]], np.float64)
    order = np.argsort(-scores, kind="stable")
    counts = [len(image["dtScores"]) for _, image in images]
    is_found, is_ignored = (
        np.concatenate(
            [np.zeros((num_ious, 0), bool), *(image[key].astype(bool) for _, image in images)],
            axis=1,
        )[:, order]
        for key in ("dtMatches", "dtIgnore")
    )
    num_labels = [int(np.count_nonzero(~image["gtIgnore"].astype(bool))) for _, image in images]
    numbers = np.array([frame for frame, _ in images], np.int64)
    return Outcome(
        frames=np.repeat(numbers, counts)[order],
        ranks=np.concatenate([np.arange(0), *(np.arange(count) for count in counts)])[order],
        is_right=is_found & ~is_ignored,
        is_counted=~is_ignored,
        label_frames=np.repeat(numbers, num_labels),
    )


def _evaluated(
    frames: Frames, num_classes: int, protocol: Protocol, library: Library, overlap: Overlap
) -> Any:  # noqa: ANN401  # the libraries have no types
    coco_class, evaluation_class = _classes(library)
    truth, found = coco_class(), coco_class()
    sizes = _mask_sizes(frames) if overlap == "segm" else {}
    shared = {
        "images": [{"id": frame, **_size(sizes.get(frame))} for frame in range(len(frames))],
        "categories": [{"id": class_id} for class_id in range(num_classes)],
    }
    for dataset, boxes in ((truth, frames.labels), (found, frames.detections)):
        annotations = _annotations(boxes)
        if overlap == "segm":
            _add_masks(annotations, boxes, sizes, float(protocol.pixel_scale))
        dataset.dataset = shared | {"annotations": annotations}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found.createIndex()
        evaluation = evaluation_class(truth, found, overlap)
        evaluation.params.iouThrs = np.array(protocol.iou_thresholds)
        evaluation.params.areaRng = [list(bounds) for bounds in area_bounds(protocol)]
        evaluation.params.areaRngLbl = ["all", *protocol.area_ranges]
        evaluation.params.maxDets = list(protocol.max_detections)
        evaluation.evaluate()
    return evaluation


def _classes(library: Library) -> tuple[Any, Any]:
    if library == "pycocotools":
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        return COCO, COCOeval
    try:
        from faster_coco_eval import COCO as FASTER_COCO
        from faster_coco_eval import COCOeval_faster
    except ModuleNotFoundError as error:
        raise SettingsError(
            "the engine faster_coco_eval is not installed: pip install -e '.[fast-eval]', or use "
            "numpy or pycocotools, which give the same numbers"
        ) from error
    return FASTER_COCO, COCOeval_faster


def _annotations(boxes: FrameBoxes) -> list[dict[str, Any]]:
    # An id of 0 means "not matched" to both libraries.
    columns = (
        range(1, len(boxes) + 1),
        boxes.frames.tolist(),
        boxes.class_ids.tolist(),
        boxes.boxes_xywh.tolist(),
        boxes.areas.tolist(),
        boxes.scores.tolist(),
    )
    names = ("id", "image_id", "category_id", "bbox", "area", "score")
    return [
        dict(zip(names, row, strict=True)) | {"iscrowd": 0} for row in zip(*columns, strict=True)
    ]


def _size(size: tuple[int, int] | None) -> dict[str, int]:
    return {} if size is None else {"height": size[0], "width": size[1]}


def _mask_sizes(frames: Frames) -> dict[int, tuple[int, int]]:
    """Height and width of the masks of each frame: those of its labels where it has any."""
    sizes: dict[int, tuple[int, int]] = {}
    for boxes in (frames.labels, frames.detections):
        for frame, mask in zip(boxes.frames.tolist(), _masks(boxes), strict=True):
            height, width = sizes.setdefault(frame, (mask["size"][0], mask["size"][1]))
            lacking = max(abs(height - mask["size"][0]), abs(width - mask["size"][1]))
            if lacking > _MOST_LACKING_PX:
                raise LabelError(
                    f"masks of one frame have {height} x {width} px and {mask['size'][0]} x "
                    f"{mask['size'][1]} px: give all masks in px of the sensor"
                )
    return sizes


def _add_masks(
    annotations: list[dict[str, Any]],
    boxes: FrameBoxes,
    sizes: dict[int, tuple[int, int]],
    pixel_scale: float,
) -> None:
    for annotation, mask in zip(annotations, _masks(boxes), strict=True):
        size = sizes[annotation["image_id"]]
        if tuple(mask["size"]) != size:
            (mask,) = encode_masks(decode_masks([mask], *size))  # noqa: PLW2901  # cut to size
        annotation["segmentation"] = dict(mask)
        annotation["area"] = mask_area(mask) * pixel_scale**2


def _masks(boxes: FrameBoxes) -> list[RunLengths]:
    return [] if boxes.masks is None else boxes.masks.tolist()

"""The same curves by the libraries others use; the only file that knows them.

They prove ours right, and pycocotools compares masks; both take a dictionary for every box.
"""

import contextlib
import io
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Shaped, UInt64

from etram_pipeline.core.errors import LabelError, ProtocolError, SettingsError
from etram_pipeline.core.run_lengths import RunLengths, decode_masks, encode_masks, mask_area
from etram_pipeline.evaluation.curves import Curves
from etram_pipeline.evaluation.evidence import Evidence
from etram_pipeline.evaluation.matching import FrameBoxes, Frames
from etram_pipeline.evaluation.outcomes import (
    MOST_IOUS,
    Matched,
    area_bounds,
    steps_of,
)
from etram_pipeline.evaluation.protocol import Protocol

Library = Literal["pycocotools", "faster_coco_eval"]
Overlap = Literal["bbox", "segm"]
"""What overlaps: boxes or masks; the names are COCO's."""

_MOST_LACKING_PX = 8
"""Masks of detections may lack the last rows and columns, which do not fill a representation's."""


def library_curves(
    evidence: Evidence, library: Library, overlap: Overlap = "bbox", *, as_one_class: bool = False
) -> Curves:
    """As `compute_curves`, by `library`.

    Args:
        evidence: Labels and detections, and how they are compared.
        library: The library to use.
        overlap: Whether boxes or masks (`segm`) overlap.
        as_one_class: Whether all boxes are of one class.

    Raises:
        SettingsError: If the library is not installed.
        ProtocolError: If equal scores count together, which the libraries cannot do.
        LabelError: If masks of labels and detections differ in size.
    """
    protocol, frames, number = evidence.protocol, evidence.frames, len(evidence.class_names)
    if protocol.ties != "rows":
        raise ProtocolError(
            f"protocol {protocol.name!r} counts equal scores together, but {library} takes them in "
            "order of rows: use a protocol with `ties: rows`"
        )
    if as_one_class:
        frames, number = frames.without_classes(), 1
    evaluation = _evaluated(frames, number, protocol, library, overlap)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    return Curves(
        np.asarray(evaluation.eval["precision"], np.float64)[..., -1],
        np.asarray(evaluation.eval["recall"], np.float64),
    )


def match_masks(frames: Frames, num_classes: int, protocol: Protocol) -> tuple[Matched, ...]:
    """As `match_classes`, but detections and labels overlap by their masks.

    Source: pycocotools, `COCOeval.accumulate`.

    Raises:
        LabelError: If masks of labels and detections differ in size.
    """
    images = _evaluated(frames, num_classes, protocol, "pycocotools", "segm").evalImgs
    num_areas = 1 + len(protocol.area_ranges)
    # Class by class, range by range, frame by frame.
    grid = np.array([*images, None], object)[:-1].reshape(num_classes, num_areas, len(frames))
    counts = np.zeros((len(frames.labels), num_areas), bool)
    for area in range(num_areas):
        for image in filter(None, grid[:, area].flat):
            counts[np.array(image["gtIds"], int) - 1, area] = ~image["gtIgnore"].astype(bool)
    return tuple(
        _matched(slice(start, start + MOST_IOUS), frames.detections, (grid, counts), protocol)
        for start in range(0, len(protocol.iou_thresholds), MOST_IOUS)
    )


def _matched(
    ious: slice,
    detections: FrameBoxes,
    found: tuple[Shaped[np.ndarray, "K A F"], Bool[np.ndarray, "L A"]],
    protocol: Protocol,
) -> Matched:
    """What became of the detections at some IoU thresholds, from what pycocotools notes."""
    grid, counts = found
    num_areas = grid.shape[1]
    ranks = np.full(len(detections), -1, np.int32)
    right, ignored = np.zeros((2, len(detections), num_areas), np.uint64)
    for area in range(num_areas):
        for image in filter(None, grid[:, area].flat):
            rows = np.array(image["dtIds"], int) - 1
            ranks[rows] = np.arange(len(rows))
            is_found, is_ignored = (
                image[key][ious].astype(bool) for key in ("dtMatches", "dtIgnore")
            )
            right[rows, area] = _bits(is_found & ~is_ignored)
            ignored[rows, area] = _bits(is_ignored)
    rows = np.argsort(-detections.scores, kind="stable")
    rows = rows[ranks[rows] >= 0]
    return Matched(
        min_ious=protocol.iou_thresholds[ious],
        rows=rows,
        ranks=ranks[rows],
        candidates=np.arange(len(rows), dtype=np.int32),
        outside=np.zeros((len(rows), num_areas), bool),
        right=right[rows],
        ignored=ignored[rows],
        first_label=np.full(len(rows), -1, np.int32),
        frames=detections.frames[rows],
        class_ids=detections.class_ids[rows],
        steps=steps_of(detections.scores[rows], protocol),
        counted_labels=counts,
    )


def _bits(flags: Bool[np.ndarray, "T D"]) -> UInt64[np.ndarray, " D"]:
    """The flags of each column as the bits of a number, the first of them lowest."""
    powers = np.uint64(1) << np.arange(len(flags), dtype=np.uint64)
    bits: UInt64[np.ndarray, " D"] = (flags * powers[:, None]).sum(axis=0, dtype=np.uint64)
    return bits


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

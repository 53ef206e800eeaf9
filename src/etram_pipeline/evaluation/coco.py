"""The same curves by the libraries others use; the only file that knows them.

They prove ours right and show what it saves; both take a dictionary for every box.
"""

import contextlib
import io
from typing import Any, Literal

import numpy as np

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.evaluation.curves import Curves, area_bounds
from etram_pipeline.evaluation.matching import FrameBoxes, Frames
from etram_pipeline.evaluation.protocol import Protocol

Library = Literal["pycocotools", "faster_coco_eval"]


def library_curves(
    frames: Frames, num_classes: int, protocol: Protocol, library: Library
) -> Curves:
    """As `compute_curves`, by `library`.

    Raises:
        SettingsError: If the library is not installed.
    """
    coco_class, evaluation_class = _classes(library)
    truth, found = coco_class(), coco_class()
    shared = {
        "images": [{"id": frame} for frame in range(len(frames))],
        "categories": [{"id": class_id} for class_id in range(num_classes)],
    }
    truth.dataset = shared | {"annotations": _annotations(frames.labels)}
    found.dataset = shared | {"annotations": _annotations(frames.detections)}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found.createIndex()
        evaluation = evaluation_class(truth, found, "bbox")
        evaluation.params.iouThrs = np.array(protocol.iou_thresholds)
        evaluation.params.areaRng = [list(bounds) for bounds in area_bounds(protocol)]
        evaluation.params.areaRngLbl = ["all", *protocol.area_ranges]
        evaluation.params.maxDets = list(protocol.max_detections)
        evaluation.evaluate()
        evaluation.accumulate()
    return Curves(
        np.asarray(evaluation.eval["precision"], np.float64)[..., -1],
        np.asarray(evaluation.eval["recall"], np.float64),
    )


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

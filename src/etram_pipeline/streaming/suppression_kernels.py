"""The compiled loop of suppression; see `quality.kernels` for what `no_type_check` does."""

from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float32, Int64
from numba import njit


@no_type_check
@njit(cache=True, nogil=True, error_model="numpy")
def keep_best(
    boxes_xyxy: Float32[np.ndarray, "N 4"], groups: Int64[np.ndarray, " N"], iou_threshold: float
) -> Bool[np.ndarray, " N"]:
    """Whether no better box of the same group, itself kept, overlaps a box by too much.

    Overlaps are numbers of single precision, the threshold one of double precision, as in
    torchvision's loop.

    Args:
        boxes_xyxy: Corners in px, best box first.
        groups: Boxes of different groups do not suppress each other.
        iou_threshold: Largest overlap of two boxes that are both kept.
    """
    x1, y1 = boxes_xyxy[:, 0].copy(), boxes_xyxy[:, 1].copy()
    x2, y2 = boxes_xyxy[:, 2].copy(), boxes_xyxy[:, 3].copy()
    areas = (x2 - x1) * (y2 - y1)
    is_kept = np.ones(len(boxes_xyxy), np.bool_)
    nothing = np.float32(0)
    for i in range(len(is_kept)):
        if not is_kept[i]:
            continue
        for j in range(i + 1, len(is_kept)):
            if not is_kept[j] or groups[i] != groups[j]:
                continue
            width = max(nothing, min(x2[i], x2[j]) - max(x1[i], x1[j]))
            height = max(nothing, min(y2[i], y2[j]) - max(y1[i], y1[j]))
            overlap = width * height
            if np.float64(overlap / (areas[i] + areas[j] - overlap)) > iou_threshold:
                is_kept[j] = False
    return is_kept

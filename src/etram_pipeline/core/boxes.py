"""Boxes and conversions between their formats; a name says which format it holds.

`xyxy` is left, top, right, bottom; `xywh` is left, top, width, height; `cxcywh` is centre, width,
height. All in px.
"""

import numpy as np
from jaxtyping import Float

Array = Float[np.ndarray, "N 4"]


def xywh_to_xyxy(boxes_xywh: Array) -> Array:
    """Corners of boxes given by their top-left corner and size."""
    return np.concatenate([boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]], axis=1)


def xyxy_to_xywh(boxes_xyxy: Array) -> Array:
    """Top-left corner and size of boxes given by their corners."""
    return np.concatenate([boxes_xyxy[:, :2], boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]], axis=1)

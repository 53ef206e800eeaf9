"""Distance of a box to the nearest border of the sensor, by which objects are cut."""

import numpy as np
from jaxtyping import Float, Float64

from etram_pipeline.analysis.attributes.attribute import Attribute, LabelledRecording


def _of_boxes(
    boxes_xywh: Float[np.ndarray, "N 4"], height: int, width: int
) -> Float64[np.ndarray, " N"]:
    left, top, box_width, box_height = boxes_xywh.T.astype(np.float64)
    sides = [left, top, width - left - box_width, height - top - box_height]
    nearest: Float64[np.ndarray, " N"] = np.min(sides, axis=0)
    return nearest.clip(min=0)


def _measure(recording: LabelledRecording) -> Float64[np.ndarray, " N"]:
    boxes = np.stack([recording.labels[side] for side in "xywh"], axis=1)
    return _of_boxes(boxes.astype(np.float64), recording.height, recording.width)


ATTRIBUTE = Attribute(
    name="border_distance",
    title="Distance to the border",
    unit="px",
    measure=_measure,
    needs="there are no labels",
    edges=(0.0, 1.0),
    quantiles=3,
    first="under 1",
    of_boxes=_of_boxes,
)

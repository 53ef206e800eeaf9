"""The table of detections: the columns of labels, and scores."""

from typing import Any

import numpy as np
import numpy.typing as npt

from etram_pipeline.core.calibration import Calibration
from etram_pipeline.labels.table import LABEL_DTYPE

DetectionTable = npt.NDArray[Any]
"""Structured array of `DETECTION_DTYPE`: one row per detection, in px of the sensor."""

DETECTION_DTYPE = np.dtype(
    [
        *((name, LABEL_DTYPE[name]) for name in LABEL_DTYPE.names or ()),
        ("score", "<f4"),
        ("objectness", "<f4"),
        ("class_score", "<f4"),
    ]
)
"""`LABEL_DTYPE` (`class_confidence` repeats `class_score`, `track_id` is 0), then the score that
detections are ranked by and its two factors. The objectness is 1 and the class score is the score
where a detector has no objectness."""


def calibrated_dtype(dtype: np.dtype[Any] = DETECTION_DTYPE) -> np.dtype[Any]:
    """Columns of detections whose score was scaled to a probability: its precision is double.

    In single precision, scaling would make scores near 1 equal that are not.
    """
    return np.dtype(
        [(name, "<f8" if name == "score" else dtype[name]) for name in dtype.names or ()]
    )


def with_calibrated_scores(table: DetectionTable, calibration: Calibration) -> DetectionTable:
    """The same detections in the same order, each with the probability that it is right as score.

    The two factors of the score stay as the detector gave them.
    """
    calibrated = np.empty(len(table), calibrated_dtype(table.dtype))
    for name in table.dtype.names or ():
        calibrated[name] = table[name]
    calibrated["score"] = calibration.apply(table["score"].astype(np.float64))
    return calibrated

"""The table of detections: the columns of labels, and scores."""

from typing import Any

import numpy as np
import numpy.typing as npt

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

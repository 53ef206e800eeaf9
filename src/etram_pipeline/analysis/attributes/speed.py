"""Speed of an object in the picture, from its labelled track."""

import numpy as np
from jaxtyping import Float64

from etram_pipeline.analysis.attributes.attribute import Attribute, LabelledRecording
from etram_pipeline.analysis.attributes.tracks import NEEDS, tracked_centres

_LONGEST_GAP_US = 500_000
"""Labels of a track that are farther apart in time say nothing about its speed between them."""


def _measure(recording: LabelledRecording) -> Float64[np.ndarray, " N"]:
    """From the previous to the next label of the track, or from one of them if one is missing."""
    speeds = np.full(len(recording.labels), np.nan)
    found = tracked_centres(recording.labels)
    if found is None:
        return speeds
    here = np.arange(len(found.rows))
    follows = ~found.is_first & (np.diff(found.times_us, prepend=0) <= _LONGEST_GAP_US)
    before = here - follows
    after = here + np.append(follows[1:], np.zeros(1, bool))
    elapsed_us = found.times_us[after] - found.times_us[before]
    way_px = np.linalg.norm(found.centres[after] - found.centres[before], axis=1)
    known = elapsed_us > 0
    speeds[found.rows[known]] = way_px[known] / elapsed_us[known] * 1e6
    return speeds


ATTRIBUTE = Attribute(
    name="speed",
    title="Speed",
    unit="px/s",
    measure=_measure,
    needs=NEEDS,
    edges=(0.0, 10.0),
    quantiles=3,
    first="under 10",
)

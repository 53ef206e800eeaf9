"""Time since an object first moved, from its labelled track: before that it makes no events."""

import numpy as np
from jaxtyping import Float64

from etram_pipeline.analysis.attributes.attribute import Attribute, LabelledRecording
from etram_pipeline.analysis.attributes.tracks import NEEDS, tracked_centres

_MOVED_PX = 5
"""Distance from where a track begins, beyond which it has moved."""
_NOT_YET = -1.0


def _measure(recording: LabelledRecording) -> Float64[np.ndarray, " N"]:
    seconds = np.full(len(recording.labels), np.nan)
    found = tracked_centres(recording.labels)
    if found is None:
        return seconds
    track = np.cumsum(found.is_first) - 1
    way_px = np.linalg.norm(found.centres - found.centres[found.starts][track], axis=1)
    never_us = np.iinfo(np.int64).max
    moved_us = np.where(way_px > _MOVED_PX, found.times_us, never_us)
    first_us = np.minimum.reduceat(moved_us, found.starts)[track]
    has_moved = found.times_us >= first_us
    since_us = np.where(has_moved, found.times_us - first_us, 0)
    seconds[found.rows] = np.where(has_moved, since_us / 1e6, _NOT_YET)
    return seconds


ATTRIBUTE = Attribute(
    name="moving_time",
    title="Time since it first moved",
    unit="s",
    measure=_measure,
    needs=NEEDS,
    edges=(_NOT_YET, 0.0, 0.5, 1.0, 2.0, 5.0),
    first="not yet",
)

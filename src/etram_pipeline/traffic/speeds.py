"""How fast road users move."""

from itertools import count

import numpy as np
from jaxtyping import Float64, Int64

HALF_S = 0.4
"""Half of the time over which a speed is measured, in seconds."""

LEAST_ROWS = 3
"""Rows that a speed is measured from, at least."""


def speeds(
    times_us: Int64[np.ndarray, " N"],
    places: Float64[np.ndarray, "N 2"],
    track_ids: Int64[np.ndarray, " N"],
) -> Float64[np.ndarray, " N"]:
    """Speed at each row: slope of the straight line through the places of 0.4 s on either side.

    Args:
        times_us: Times of tracks, one after the other, each in order of time.
        places: Places of any unit; NaN where unknown.
        track_ids: Track of each row.

    Returns:
        Speed in units per second; NaN where fewer than three places are known around the row, or
        the row's own is not.
    """
    is_known = np.isfinite(places).all(axis=1)
    # Differences from the row itself keep all digits, however long the recording is. The columns
    # are the number of rows, and the sums of times, their squares, places and times by places.
    sums = np.zeros((len(times_us), 7))
    sums[:, 0] = 1
    for offset in count(1):
        is_near = (track_ids[offset:] == track_ids[:-offset]) & (
            times_us[offset:] - times_us[:-offset] <= 1e6 * HALF_S
        )
        if not is_near.any():
            break
        early = np.flatnonzero(is_near & is_known[offset:] & is_known[:-offset])
        late = early + offset
        time = (times_us[late] - times_us[early])[:, None] / 1e6
        way = places[late] - places[early]
        one, products = np.ones_like(time), time * way
        sums[early] += np.hstack([one, time, time**2, way, products])
        sums[late] += np.hstack([one, -time, time**2, -way, products])
    number, time, square = sums[:, 0:1], sums[:, 1:2], sums[:, 2:3]
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (number * sums[:, 5:] - time * sums[:, 3:5]) / (number * square - time**2)
    is_measured = is_known & (sums[:, 0] >= LEAST_ROWS) & np.isfinite(slope).all(axis=1)
    return np.where(is_measured, np.hypot(*slope.T), np.nan)

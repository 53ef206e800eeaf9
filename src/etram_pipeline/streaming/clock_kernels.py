"""Compiled loop over the times of a stream; see `events.kernels`."""

from typing import no_type_check

import numpy as np
from jaxtyping import Int64
from numba import njit

PERIOD_US = 2**32
"""Time after which a clock of 32 bits begins anew, in microseconds: 72 minutes."""


@no_type_check
@njit(cache=True, nogil=True)
def follow(
    t_us: Int64[np.ndarray, " N"],
    clock: tuple[int, int],
    rival: tuple[int, int],
    limits: tuple[int, bool],
    target: tuple[int, int],
) -> tuple[int, int, int]:
    """Events that belong to a clock, up to the first that does not.

    Args:
        t_us: Times as they came; those of a clock of 32 bits are continued in place.
        clock: Latest time of the clock, and what is added to times because it began anew.
        rival: The same of a clock whose first event ends the stretch; -1 added: there is none.
        limits: How far an event may be from the latest time, and whether clocks have 32 bits.
        target: Time and number of events with which the stretch ends at the latest.

    Returns:
        Number of events, latest time, and what is added to times.
    """
    latest, offset = clock
    for i in range(min(len(t_us), target[1])):
        if rival[1] >= 0 and _offset(t_us[i], rival, limits) >= 0:
            return i, latest, offset
        found = _offset(t_us[i], (latest, offset), limits)
        if found < 0:
            return i, latest, offset
        offset = found
        t_us[i] += offset
        latest = max(latest, t_us[i])
        if latest >= target[0]:
            return i + 1, latest, offset
    return min(len(t_us), target[1]), latest, offset


@no_type_check
@njit(cache=True, nogil=True)
def _offset(time_us: int, clock: tuple[int, int], limits: tuple[int, bool]) -> int:
    """What brings a time near to a clock: whole periods, at least 0; -1 if nothing does."""
    latest, offset = clock
    if abs(time_us + offset - latest) <= limits[0]:
        return offset
    if limits[1]:
        if abs(time_us + offset + PERIOD_US - latest) <= limits[0]:
            return offset + PERIOD_US
        if offset > 0 and abs(time_us + offset - PERIOD_US - latest) <= limits[0]:
            return offset - PERIOD_US
    return -1

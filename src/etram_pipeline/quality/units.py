"""Telling a wrong unit of time by spans and rates that no camera has."""

import math

from etram_pipeline.quality.event_statistics import EventQuality

UNITS_US = {"nanoseconds": 1e-3, "milliseconds": 1e3, "seconds": 1e6}
"""Microseconds in each unit that times may have been written in."""

_LEAST_EVENTS = 500
"""Fewer events say nothing of the rate."""
_TYPICAL_HZ = 1.0
"""Events per second and pixel of ordinary traffic: eTraM has 0.2 to 5.9."""
_FASTEST_HZ = 100.0
_FASTEST_IN_ALL_HZ = 1e8
"""Mean rates that cameras do not reach, per pixel and in all; recordings of bursts have a third."""
_SHORTEST_US = 5_000.0
_SLOWEST_HZ = 0.002
_SLOWEST_IN_ALL_HZ = 20.0
"""Mean rates per pixel and in all that are below the noise of cameras in the dark."""
_LONG_US = 3600e6
_SLOWEST_WHEN_LONG_HZ = 0.006


def likely_unit(events: EventQuality, num_pixels: int) -> str | None:
    """Unit that times were likely written in, a key of `UNITS_US`; None if they may be right.

    The longest stretch without events does not count: a single wrong time can make one of years.
    """
    duration_us = float(max(events.duration_us - events.longest_gap_us, 1))
    if events.num_kept < _LEAST_EVENTS:
        return None
    rate_hz = 1e6 * events.num_kept / duration_us
    if _is_slow(rate_hz, duration_us, num_pixels):
        units = ["nanoseconds"]
    elif duration_us < _SHORTEST_US or rate_hz > _fastest_hz(num_pixels):
        units = ["milliseconds", "seconds"]
    else:
        return None
    strangeness = {
        unit: abs(math.log(rate_hz / UNITS_US[unit] / (_TYPICAL_HZ * num_pixels)))
        for unit in units
        if duration_us * UNITS_US[unit] >= _SHORTEST_US
        and rate_hz / UNITS_US[unit] <= _fastest_hz(num_pixels)
    }
    return min(strangeness, key=lambda unit: strangeness[unit], default=None)


def _fastest_hz(num_pixels: int) -> float:
    return min(_FASTEST_HZ * num_pixels, _FASTEST_IN_ALL_HZ)


def _is_slow(rate_hz: float, duration_us: float, num_pixels: int) -> bool:
    least_hz = _SLOWEST_WHEN_LONG_HZ if duration_us > _LONG_US else _SLOWEST_HZ
    return rate_hz < max(least_hz * num_pixels, _SLOWEST_IN_ALL_HZ)

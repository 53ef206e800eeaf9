"""Detects timestamps in a wrong unit by durations and rates that no camera reaches."""

import math

from etram_pipeline.quality.event_quality import EventQuality

UNITS_US = {"nanoseconds": 1e-3, "milliseconds": 1e3, "seconds": 1e6}
"""Microseconds per unit, for the units that timestamps may be written in."""

_LEAST_EVENTS = 500
"""With fewer events, the rate cannot be estimated."""
_TYPICAL_HZ = 1.0
"""Rate per pixel of ordinary traffic; eTraM has 0.2 to 5.9 Hz."""
_FASTEST_HZ = 100.0
_FASTEST_IN_ALL_HZ = 1e8
"""Mean rates that no camera reaches, per pixel and in total; bursts reach a third of them."""
_SHORTEST_US = 5_000.0
_SLOWEST_HZ = 0.002
_SLOWEST_IN_ALL_HZ = 20.0
"""Mean rates per pixel and in total that are below the noise of a camera in the dark."""
_LONG_US = 3600e6
_SLOWEST_WHEN_LONG_HZ = 0.006


def likely_unit(events: EventQuality, num_pixels: int) -> str | None:
    """The unit that timestamps were probably written in; None if microseconds are plausible.

    The longest time without events is ignored, because one wrong timestamp can create a gap of
    years.

    Args:
        events: Measurements of the events, on the assumption of microseconds.
        num_pixels: Pixels of the sensor.

    Returns:
        A key of `UNITS_US`, or None.
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

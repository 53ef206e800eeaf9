"""Random numbers that depend on the event alone, not on how or where its recording is read."""

import zlib

import numpy as np
from jaxtyping import Float64, UInt64

from etram_pipeline.core.recording import Events

_SHIFTS_AND_FACTORS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT = 31


def derived_seed(seed: int, name: str) -> int:
    """A seed for one of several purposes, from 0 to below 2⁶⁴.

    Args:
        seed: The seed of all purposes, at least 0.
        name: The purpose, such as the name of a recording.
    """
    number = np.array([seed % 2**64 ^ zlib.crc32(name.encode()) << 32], np.uint64)
    return int(_mix(number)[0])


def uniform(events: Events, seed: int) -> Float64[np.ndarray, " N"]:
    """A random number from 0 to below 1 for each event.

    Events of equal time, place and polarity have the same number.

    Args:
        events: The events.
        seed: At least 0; other seeds give independent numbers.
    """
    place = events.x.astype(np.uint64)
    place |= events.y.astype(np.uint64) << np.uint64(16)
    place |= events.polarity.astype(np.uint64) << np.uint64(32)
    numbers = _mix(_mix(events.t_us.astype(np.uint64) ^ np.uint64(seed)) ^ place)
    shares: Float64[np.ndarray, " N"] = (numbers >> np.uint64(11)) * 2.0**-53
    return shares


def normal(events: Events, seed: int) -> Float64[np.ndarray, " N"]:
    """A random number for each event, of a normal distribution with mean 0 and deviation 1.

    Args:
        events: The events.
        seed: As of `uniform`.

    Source: Box and Muller, "A Note on the Generation of Random Normal Deviates", Annals of
    Mathematical Statistics 29 (1958).
    """
    radius = np.sqrt(-2 * np.log1p(-uniform(events, derived_seed(seed, "radius"))))
    angle = 2 * np.pi * uniform(events, derived_seed(seed, "angle"))
    deviates: Float64[np.ndarray, " N"] = radius * np.cos(angle)
    return deviates


def _mix(numbers: UInt64[np.ndarray, " N"]) -> UInt64[np.ndarray, " N"]:
    """Each number scrambled; different numbers stay different.

    Source: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014,
    with the constants of Stafford's variant 13.
    """
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in _SHIFTS_AND_FACTORS:
        numbers ^= numbers >> np.uint64(shift)
        numbers *= np.uint64(factor)
    numbers ^= numbers >> np.uint64(_LAST_SHIFT)
    return numbers

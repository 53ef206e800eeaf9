"""Random numbers for compiled code that depend on their purpose, not on the order of drawing.

Source: Steele et al., "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

from typing import no_type_check

import numpy as np
from numba import njit


@no_type_check
@njit(cache=True, nogil=True)
def start_random(seed: int, moment: int, stream: int) -> np.uint64:
    """State of the generator of one stream at one time.

    Args:
        seed: Seed of the recording.
        moment: Number of the picture.
        stream: Number of the stream, such as a row of the sensor.
    """
    first = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(moment)
    _, number = next_random(first)
    return number ^ (np.uint64(stream) * np.uint64(0xD1B54A32D192ED03))


@no_type_check
@njit(cache=True, nogil=True)
def next_random(state: np.uint64) -> tuple[np.uint64, np.uint64]:
    """The next state, and 64 random bits."""
    state += np.uint64(0x9E3779B97F4A7C15)
    number = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state, number ^ (number >> np.uint64(31))


@no_type_check
@njit(cache=True, nogil=True)
def share(bits: np.uint64) -> float:
    """Random bits as a number in (0, 1]."""
    return ((bits >> np.uint64(11)) + 1) * (1 / 9007199254740992)

"""Events as a sensor with a higher threshold would have seen them; a compiled loop."""

from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Int8, Int64, UInt8
from numba import njit


@no_type_check
@njit(cache=True, nogil=True)
def exceed_threshold(
    events: tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, " N"], UInt8[np.ndarray, " N"]],
    threshold: int,
    memory: tuple[Int8[np.ndarray, " P"], Int64[np.ndarray, " P"]],
) -> Bool[np.ndarray, " N"]:
    """Events at which the sum of rises and falls of their pixel reaches the threshold.

    Args:
        events: Pixel, slot of time and polarity of each, in order of time.
        threshold: Sum of either sign that makes an event and starts the next sum, from 1 to 100.
        memory: Sum of each pixel, and the slot that it is of; sums of earlier slots do not count.
            Both are changed.
    """
    pixels, slots, polarities = events
    sums, slot_of_sum = memory
    exceeds = np.zeros(len(pixels), np.bool_)
    for i in range(len(pixels)):
        pixel = pixels[i]
        total = sums[pixel] if slot_of_sum[pixel] == slots[i] else 0
        total += 1 if polarities[i] > 0 else -1
        if abs(total) >= threshold:
            exceeds[i] = True
            total = 0
        sums[pixel], slot_of_sum[pixel] = total, slots[i]
    return exceeds

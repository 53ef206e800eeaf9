"""EVT3: words of 16 bits, each of which sets one part of the next event or holds up to 12 events.

Source: Prophesee, "EVT 3.0 Format", docs.prophesee.ai; the time overflows, and its low bits restart
when the high bits change, as in prophesee-ai/openeb,
hal_psee_plugins/include/decoders/evt3/evt3_decoder.h.
"""

from typing import no_type_check

import numpy as np
import numpy.typing as npt
from jaxtyping import Int64
from numba import njit

from etram_pipeline.events.formats.encoding import Encoding, EventArrays

_ADDRESS_Y = 0
_MONITORING_Y = 1
_ADDRESS_X = 2
_VECTOR_BASE_X = 3
_VECTOR_12 = 4
_VECTOR_8 = 5
_TIME_LOW = 6
_TIME_HIGH = 8

_COORDINATE_MASK = 0x7FF
_POLARITY_BIT = 11
# A larger decrease of the high bits is an overflow of the 24-bit counter.
_LOOP_DECREASE_US = 1 << 23
_LOOP_US = 1 << 24
# Beyond every sensor, so that a base that keeps growing cannot wrap around.
_LARGEST_BASE_X = 1 << 12


@no_type_check  # Numba compiles the function itself, which the run-time check would wrap.
@njit(cache=True, nogil=True)
def _new_time(started: int, time_us: int, high: int) -> int:
    """Time after a word with high bits; the low bits restart if the high bits differ."""
    before_us = time_us & ~0xFFF
    new_us = (before_us & ~(_LOOP_US - 1)) | (high << 12)
    if not started:
        return new_us
    if before_us - new_us >= _LOOP_DECREASE_US:
        return new_us + _LOOP_US
    return time_us if new_us == before_us else new_us


@no_type_check
@njit(cache=True, nogil=True)
def _update(state: tuple[int, ...], kind: int, content: int) -> tuple[int, ...]:
    """The state after a word without an event."""
    started, time_us, row, is_event, base_x, polarity = state
    if kind == _TIME_LOW:
        time_us = (time_us & ~0xFFF) | content
    elif kind == _ADDRESS_Y:
        row, is_event = content & _COORDINATE_MASK, started
    elif kind == _TIME_HIGH:
        time_us, started = _new_time(started, time_us, content), 1
    elif kind == _VECTOR_BASE_X:
        base_x, polarity = content & _COORDINATE_MASK, content >> _POLARITY_BIT
    elif kind == _MONITORING_Y:
        is_event = 0
    return started, time_us, row, is_event, base_x, polarity


@no_type_check
@njit(cache=True, nogil=True)
def _decode_vector(events: EventArrays, count: int, state: tuple[int, ...], valid: int) -> int:
    """Write an event for each bit of `valid` from the base on; return the new number of events."""
    x, y, t_us, polarities = events
    _, time_us, row, _, column, polarity = state
    while valid:
        # Without a branch: an invalid event is overwritten by the next one.
        x[count], y[count], t_us[count], polarities[count] = column, row, time_us, polarity
        count += np.uint64(valid & 1)
        column += 1
        valid >>= 1
    return count


@no_type_check
@njit(cache=True, nogil=True)
def _decode(
    words: npt.NDArray[np.uint16], numbers: Int64[np.ndarray, "6"], events: EventArrays
) -> int:
    x, y, t_us, polarity = events
    state = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5])
    count = np.uint64(0)
    for index in range(len(words)):
        word = np.int64(words[index])
        kind, content = word >> 12, word & 0xFFF
        if kind == _ADDRESS_X:
            _, t_us[count], y[count], is_event, _, _ = state
            x[count] = content & _COORDINATE_MASK
            polarity[count] = content >> _POLARITY_BIT
            count += np.uint64(is_event)
        elif kind in (_VECTOR_12, _VECTOR_8):
            started, time_us, row, is_event, base_x, sign = state
            width = 12 if kind == _VECTOR_12 else 8
            valid = content & ((1 << width) - 1) & -is_event
            count = _decode_vector(events, count, state, valid)
            base_x = min(base_x + width, _LARGEST_BASE_X)
            state = (started, time_us, row, is_event, base_x, sign)
        else:
            state = _update(state, kind, content)
    for place in range(len(numbers)):
        numbers[place] = state[place]
    return np.int64(count)


ENCODING = Encoding(
    name="etram_pipeline.events.formats.evt3",
    word="<u2",
    state_size=6,
    events_per_word=12,
    decode=_decode,
    sdk_lead_us=1 << 12,
)

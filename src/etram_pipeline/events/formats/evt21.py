"""EVT2.1: words of 64 bits, each up to 32 events of one row or the high bits of the time.

Source: Prophesee, "EVT 2.1 Format", docs.prophesee.ai, and prophesee-ai/openeb,
hal/cpp/include/metavision/hal/decoders/evt21/evt21_decoder.h. Time wraps as in EVT2.
"""

from typing import no_type_check

import numpy as np
import numpy.typing as npt
from jaxtyping import Int64
from numba import njit

from etram_pipeline.events.formats.encoding import Encoding, EventArrays
from etram_pipeline.events.formats.evt2 import new_base

_EVENT_ON = 1  # 0 is the event of falling brightness
_TIME_HIGH = 8
_COORDINATE_MASK = 0x7FF
_EVENTS_PER_WORD = 32

_DE_BRUIJN = 0x077CB531  # all runs of 5 bits differ, so a shift by a bit's index identifies it
_PLACE_OF_BIT = np.argsort([(_DE_BRUIJN << place & 0xFFFF_FFFF) >> 27 for place in range(32)])


@no_type_check
@njit(cache=True, nogil=True)
def _decode_halves(
    halves: npt.NDArray[np.uint32],
    state: Int64[np.ndarray, "2"],
    events: EventArrays,
    first_half: int,
) -> int:
    """Decode words whose half with type, time and position is the first (0) or second (1)."""
    x, y, t_us, polarity = events
    started, base_us = state[0], state[1]
    count, one = np.uint64(0), np.uint64(1)
    for index in range(0, len(halves), 2):
        word = np.int64(halves[index + first_half])
        kind = word >> 28
        if kind <= _EVENT_ON:
            valid = np.int64(halves[index + 1 - first_half]) * started
            column = (word >> 11) & _COORDINATE_MASK
            while valid:
                x[count] = column + _PLACE_OF_BIT[((valid & -valid) * _DE_BRUIJN >> 27) & 31]
                y[count] = word & _COORDINATE_MASK
                t_us[count] = base_us + ((word >> 22) & 0x3F)
                polarity[count] = kind
                count += one
                valid &= valid - 1
        elif kind == _TIME_HIGH:
            base_us = new_base(started, base_us, word)
            started = 1
    state[0], state[1] = started, base_us
    return np.int64(count)


@no_type_check
@njit(cache=True, nogil=True)
def _decode_little(
    words: npt.NDArray[np.uint64], state: Int64[np.ndarray, "2"], events: EventArrays
) -> int:
    return _decode_halves(words.view(np.uint32), state, events, 1)


@no_type_check
@njit(cache=True, nogil=True)
def _decode_legacy(
    words: npt.NDArray[np.uint64], state: Int64[np.ndarray, "2"], events: EventArrays
) -> int:
    return _decode_halves(words.view(np.uint32), state, events, 0)


LITTLE = Encoding(
    name="etram_pipeline.events.formats.evt21",
    word="<u8",
    state_size=2,
    events_per_word=_EVENTS_PER_WORD,
    decode=_decode_little,
)
LEGACY = Encoding(
    name="etram_pipeline.events.formats.evt21",
    word="<u8",
    state_size=2,
    events_per_word=_EVENTS_PER_WORD,
    decode=_decode_legacy,
)
"""Words with swapped halves, as written by cameras with the IMX636 and earlier sensors."""

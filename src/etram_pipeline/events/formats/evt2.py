"""EVT2: words of 32 bits, each an event or the high bits of the time.

Source: Prophesee, "EVT 2.0 Format", docs.prophesee.ai; time wraps as in prophesee-ai/openeb,
hal_psee_plugins/include/decoders/evt2/evt2_decoder.h.
"""

from typing import no_type_check

import numpy as np
import numpy.typing as npt
from numba import njit

from etram_pipeline.events.formats.encoding import Encoding

_EVENT_ON = 1  # 0 is the event of falling brightness
_TIME_HIGH = 8

_TIME_LOW_BITS = 6
_TIME_HIGH_MASK = (1 << 28) - 1
_LOOP_US = 1 << (28 + _TIME_LOW_BITS)
# A decrease this large means the counter began anew; a smaller one is a fault of the stream.
_LOOP_DECREASE_US = (_TIME_HIGH_MASK << _TIME_LOW_BITS) - 10_000
_COORDINATE_MASK = 0x7FF

_STATE = np.dtype([("started", np.int64), ("base_us", np.int64), ("loops_us", np.int64)])


@njit(cache=True, nogil=True)
@no_type_check  # Numba compiles the function itself, which the run-time check would wrap.
def _advance_time(state: np.void, high: int) -> None:
    base_us = (high << _TIME_LOW_BITS) + state["loops_us"]
    if state["started"] and state["base_us"] - base_us >= _LOOP_DECREASE_US:
        state["loops_us"] += _LOOP_US
        base_us += _LOOP_US
    state["base_us"] = base_us
    state["started"] = 1


@njit(cache=True, nogil=True)
@no_type_check
def _decode(
    words: npt.NDArray[np.uint32], states: npt.NDArray[np.void], events: npt.NDArray[np.void]
) -> int:
    state = states[0]
    count = 0
    for index in range(len(words)):
        word = np.int64(words[index])
        kind = word >> 28
        if kind == _TIME_HIGH:
            _advance_time(state, word & _TIME_HIGH_MASK)
        elif kind <= _EVENT_ON and state["started"]:
            event = events[count]
            event["t_us"] = state["base_us"] + ((word >> 22) & 0x3F)
            event["x"] = (word >> 11) & _COORDINATE_MASK
            event["y"] = word & _COORDINATE_MASK
            event["polarity"] = kind
            count += 1
    return count


ENCODING = Encoding(word="<u4", state=_STATE, events_per_word=1, decode=_decode)

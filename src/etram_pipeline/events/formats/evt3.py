"""EVT3: words of 16 bits that each change one part of the next event, or hold up to 12 events.

Source: Prophesee, "EVT 3.0 Format", docs.prophesee.ai; time wraps, and restarts its low bits when
the high bits change, as in prophesee-ai/openeb,
hal_psee_plugins/include/decoders/evt3/evt3_decoder.h.
"""

from typing import no_type_check

import numpy as np
import numpy.typing as npt
from numba import njit

from etram_pipeline.events.formats.encoding import Encoding

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
# A larger decrease of the high bits means that the counter of 24 bits began anew.
_LOOP_DECREASE = 1 << 11
# Beyond every sensor, so that a base which runs away cannot come back in.
_LARGEST_BASE_X = 1 << 12

_STATE = np.dtype(
    [
        (name, np.int64)
        for name in ("started", "is_event", "y", "base_x", "polarity", "loops", "high", "t_us")
    ]
)


@njit(cache=True, nogil=True)
@no_type_check  # Numba compiles the function itself, which the run-time check would wrap.
def _advance_time(state: np.void, high: int) -> None:
    if state["started"] and state["high"] >= _LOOP_DECREASE + high:
        state["loops"] += 1
    if not state["started"] or state["high"] != high:
        state["t_us"] = (state["loops"] << 24) | (high << 12)
    state["high"] = high
    state["started"] = 1


@njit(cache=True, nogil=True)
@no_type_check
def _update(state: np.void, kind: int, content: int) -> None:
    if kind == _TIME_LOW:
        state["t_us"] = (state["loops"] << 24) | (state["high"] << 12) | content
    elif kind == _ADDRESS_Y:
        state["y"] = content & _COORDINATE_MASK
        state["is_event"] = state["started"]
    elif kind == _VECTOR_BASE_X:
        state["base_x"] = content & _COORDINATE_MASK
        state["polarity"] = content >> _POLARITY_BIT
    elif kind == _TIME_HIGH:
        _advance_time(state, content)
    elif kind == _MONITORING_Y:
        state["is_event"] = 0


@njit(cache=True, nogil=True)
@no_type_check
def _set_event(event: np.void, state: np.void, x: int, polarity: int) -> None:
    event["t_us"] = state["t_us"]
    event["x"] = x
    event["y"] = state["y"]
    event["polarity"] = polarity


@njit(cache=True, nogil=True)
@no_type_check
def _decode_vector(
    events: npt.NDArray[np.void], count: int, state: np.void, kind: int, content: int
) -> int:
    width = 12 if kind == _VECTOR_12 else 8
    x = state["base_x"]
    valid = content & ((1 << width) - 1) if state["is_event"] else 0
    while valid:
        if valid & 1:
            _set_event(events[count], state, x, state["polarity"])
            count += 1
        x += 1
        valid >>= 1
    state["base_x"] = min(state["base_x"] + width, _LARGEST_BASE_X)
    return count


@njit(cache=True, nogil=True)
@no_type_check
def _decode(
    words: npt.NDArray[np.uint16], states: npt.NDArray[np.void], events: npt.NDArray[np.void]
) -> int:
    state = states[0]
    count = 0
    for index in range(len(words)):
        word = np.int64(words[index])
        kind = word >> 12
        content = word & 0xFFF
        if kind == _ADDRESS_X:
            if state["is_event"]:
                x = content & _COORDINATE_MASK
                _set_event(events[count], state, x, content >> _POLARITY_BIT)
                count += 1
        elif kind in (_VECTOR_12, _VECTOR_8):
            count = _decode_vector(events, count, state, kind, content)
        else:
            _update(state, kind, content)
    return count


ENCODING = Encoding(word="<u2", state=_STATE, events_per_word=12, decode=_decode)

"""EVT2: words of 32 bits, each an event or the high bits of the time.

Source: Prophesee, "EVT 2.0 Format", docs.prophesee.ai; time overflows as in prophesee-ai/openeb,
hal_psee_plugins/include/decoders/evt2/evt2_decoder.h.
"""

from typing import no_type_check

import numpy as np
import numpy.typing as npt
from jaxtyping import Int64
from numba import njit

from etram_pipeline.events.formats.encoding import Encoding, EventArrays

_EVENT_ON = 1  # 0 is the event of falling brightness
_TIME_HIGH = 8

_TIME_LOW_BITS = 6
_TIME_HIGH_MASK = (1 << 28) - 1
_LOOP_US = 1 << (28 + _TIME_LOW_BITS)
# A decrease this large is an overflow of the counter; a smaller one is a fault of the stream.
_LOOP_DECREASE_US = (_TIME_HIGH_MASK << _TIME_LOW_BITS) - 10_000
_COORDINATE_MASK = 0x7FF


@no_type_check  # Numba compiles the function itself, which the run-time check would wrap.
@njit(cache=True, nogil=True)
def new_base(started: int, base_us: int, high: int) -> int:
    """Time in microseconds after a word with new high bits, given the time `base_us` before it."""
    loops_us = base_us & ~(_LOOP_US - 1)
    new_us = ((high & _TIME_HIGH_MASK) << _TIME_LOW_BITS) + loops_us
    if started and base_us - new_us >= _LOOP_DECREASE_US:
        new_us += _LOOP_US
    return new_us


@no_type_check
@njit(cache=True, nogil=True)
def _decode(
    words: npt.NDArray[np.uint32], state: Int64[np.ndarray, "2"], events: EventArrays
) -> int:
    x, y, t_us, polarity = events
    started, base_us = state[0], state[1]
    count = np.uint64(0)
    for index in range(len(words)):
        word = np.int64(words[index])
        kind = word >> 28
        if kind <= _EVENT_ON:
            x[count] = (word >> 11) & _COORDINATE_MASK
            y[count] = word & _COORDINATE_MASK
            t_us[count] = base_us + ((word >> 22) & 0x3F)
            polarity[count] = kind
            count += np.uint64(started)
        elif kind == _TIME_HIGH:
            base_us = new_base(started, base_us, word)
            started = 1
    state[0], state[1] = started, base_us
    return np.int64(count)


ENCODING = Encoding(
    name="etram_pipeline.events.formats.evt2",
    word="<u4",
    state_size=2,
    events_per_word=1,
    decode=_decode,
)

"""Prophesee DAT recordings: a header, then one record of eight bytes per event."""

from typing import ClassVar, no_type_check

import numpy as np
import numpy.typing as npt
from jaxtyping import Int64
from numba import njit

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.encoded import EncodedRecording
from etram_pipeline.events.formats.encoding import Encoding, EventArrays
from etram_pipeline.events.formats.prophesee_header import Header

_RECORD_BYTES = 8
_EVENT_TYPES = (0, 12)
_COUNTER_MASK = (1 << 32) - 1
_LOOP_US = 1 << 32
_HALF_LOOP_US = 1 << 31


class DatRecording(EncodedRecording):
    """A DAT recording of contrast-detection events.

    The header is followed by a byte for the type of the events (0 or 12) and a byte for the size of
    a record (8). A record holds the time in microseconds, and 14 bits of x, 14 of y and 1 of
    polarity; before version 2, 9 bits of x, 8 of y and 1 of polarity.

    Source: prophesee-ai/prophesee-automotive-dataset-toolbox, src/io/dat_events_tools.py.
    """

    stored_name: ClassVar[str] = "DatRecording"

    def __init__(self, header: Header, size: tuple[int, int] | None) -> None:
        with header.path.open("rb") as file:
            file.seek(header.num_bytes)
            kind = file.read(2)
        if kind not in {bytes((event_type, _RECORD_BYTES)) for event_type in _EVENT_TYPES}:
            raise RecordingError(
                f"{header.path}: at byte {header.num_bytes} a DAT file has the type of its events, "
                f"0 or 12, and their size, 8, but this file has {list(kind)}: convert it to "
                "contrast-detection events, or fetch it again if it is damaged"
            )
        version = header.fields.get("version", "2")
        if version not in _ENCODINGS:
            raise RecordingError(
                f"{header.path}: DAT version {version!r} is unknown; supported are "
                f"{', '.join(_ENCODINGS)}"
            )
        self._version = version
        super().__init__(header, size, header.num_bytes + len(kind))

    @property
    def _encoding(self) -> Encoding:
        return _ENCODINGS[self._version]


@no_type_check
@njit(cache=True, nogil=True)
def _decode_fields(
    words: npt.NDArray[np.uint32],
    state: Int64[np.ndarray, "2"],
    events: EventArrays,
    x_bits: int,
    y_bits: int,
) -> int:
    """Decode records, whose 32-bit counter overflows every 71 minutes.

    A step of more than half the range is taken for a step in the other direction.
    """
    x, y, t_us, polarity = events
    x_mask, y_mask = (1 << x_bits) - 1, (1 << y_bits) - 1
    last = state[1] & _COUNTER_MASK if state[0] else np.int64(words[0])
    loops_us = state[1] - last if state[0] else 0
    for index in range(len(words) // 2):
        time, address = np.int64(words[2 * index]), np.int64(words[2 * index + 1])
        if time - last < -_HALF_LOOP_US:
            loops_us += _LOOP_US
        elif time - last >= _HALF_LOOP_US:
            loops_us -= _LOOP_US
        last = time
        x[index] = address & x_mask
        y[index] = (address >> x_bits) & y_mask
        t_us[index] = loops_us + time
        polarity[index] = (address >> (x_bits + y_bits)) & 1
    state[0], state[1] = 1, loops_us + last
    return len(words) // 2


@no_type_check
@njit(cache=True, nogil=True)
def _decode_version_2(
    words: npt.NDArray[np.uint64], state: Int64[np.ndarray, "2"], events: EventArrays
) -> int:
    return _decode_fields(words.view(np.uint32), state, events, 14, 14)


@no_type_check
@njit(cache=True, nogil=True)
def _decode_version_1(
    words: npt.NDArray[np.uint64], state: Int64[np.ndarray, "2"], events: EventArrays
) -> int:
    return _decode_fields(words.view(np.uint32), state, events, 9, 8)


_VERSION_1 = Encoding(
    name="etram_pipeline.events.formats.prophesee_dat",
    word="<u8",
    state_size=2,
    events_per_word=1,
    decode=_decode_version_1,
)
_VERSION_2 = Encoding(
    name="etram_pipeline.events.formats.prophesee_dat",
    word="<u8",
    state_size=2,
    events_per_word=1,
    decode=_decode_version_2,
)
_ENCODINGS = {"0": _VERSION_1, "1": _VERSION_1, "2": _VERSION_2}

"""Prophesee DAT recordings: one record of eight bytes per event, behind a header."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int64, UInt32
from typing_extensions import override

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.cleaning import Columns
from etram_pipeline.events.formats.encoded import EncodedRecording
from etram_pipeline.events.formats.prophesee_header import Header

_RECORD = np.dtype([("time", "<u4"), ("address", "<u4")])
_BLOCK_EVENTS = 2**18
_COORDINATE_MASK = (1 << 14) - 1
_EVENT_TYPES = (0, 12)


class DatRecording(EncodedRecording):
    """A DAT recording of contrast-detection events.

    Source: prophesee-ai/prophesee-automotive-dataset-toolbox, src/io/dat_events_tools.py: after the
    header a byte for the type of the events (0 or 12) and one for the size of a record (8); a
    record holds the time in microseconds and 14 bits of x, 14 of y and 1 of polarity.
    """

    def __init__(self, header: Header, size: tuple[int, int] | None) -> None:
        with header.path.open("rb") as file:
            file.seek(header.num_bytes)
            kind = file.read(2)
        if kind not in {bytes((event_type, _RECORD.itemsize)) for event_type in _EVENT_TYPES}:
            raise RecordingError(
                f"{header.path}: at byte {header.num_bytes} a DAT file has the type of its events, "
                f"0 or 12, and the size of each, 8; found {list(kind)}. Convert the file to DAT "
                "with contrast-detection events, or fetch it again if it is damaged"
            )
        if header.fields.get("version", "2") < "2":
            raise RecordingError(
                f"{header.path}: DAT version {header.fields['version']} is not supported; convert "
                "the file to version 2"
            )
        super().__init__(header, size, _RECORD, header.num_bytes + len(kind))

    @override
    def _decode(self) -> Iterator[Columns]:
        before_us: int | None = None
        for records in self._blocks(_BLOCK_EVENTS):
            address = records["address"]
            times_us = _unwrap(records["time"], before_us)
            before_us = int(times_us[-1])
            yield Columns(
                x=address & _COORDINATE_MASK,
                y=(address >> 14) & _COORDINATE_MASK,
                t_us=times_us,
                polarity=(address >> 28) & 1,
            )


def _unwrap(time: UInt32[np.ndarray, " N"], before_us: int | None) -> Int64[np.ndarray, " N"]:
    """Times whose counter of 32 bits began anew, every 71 minutes, made to go on.

    A step of more than half the counter's range counts as a step the other way round the clock.
    """
    if before_us is None:
        before_us = int(time[0])
    previous = np.concatenate([np.array([before_us & 0xFFFF_FFFF], np.uint32), time[:-1]])
    steps_us = (time - previous).view(np.int32)
    return before_us + np.cumsum(steps_us, dtype=np.int64)

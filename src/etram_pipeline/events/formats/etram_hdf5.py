"""Recordings in eTraM's and RVT's HDF5 layout: one dataset per column of the events."""

import logging
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Int64
from typing_extensions import override

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.files import written_whole
from etram_pipeline.events.formats.cleaning import Clock, Columns, clean, cut
from etram_pipeline.events.formats.hdf5_columns import EventColumns, open_columns
from etram_pipeline.events.recording import Events, Recording

logger = logging.getLogger(__name__)

_DEFAULT_SIZE = (720, 1280)
"""Height and width the reference takes for a file that does not say them.

Source: uzh-rpg/RVT, scripts/genx/preprocess_dataset.py, class H5Reader.
"""

_BLOCK_EVENTS = 2**18
_CHUNK_EVENTS = 2**14
_COLUMN_TYPES = {"x": np.uint16, "y": np.uint16, "p": np.int16, "t": np.int64}


class EtramRecording(Recording):
    """A recording in eTraM's HDF5 layout.

    `start_us` and `stop_us` cost reading the ends of the file: `stop_us` lies after the times of
    its last 16 384 events. Should an event long before them have a later time, then every event
    after it is read at that time, which is after `stop_us`.

    Reading from the middle passes over the times before it once; after that the handle knows the
    running maximum at the end of each block.
    """

    def __init__(self, path: Path, size: tuple[int, int] | None) -> None:
        self.path = path
        with open_columns(path) as columns:
            self._num_events = columns.num_events
            self._cache_bytes = max(2**20, 2 * columns.largest_chunk_bytes)
            self.height, self.width = self._size(columns.sensor_size, size)
        self._latest_us_of_block: dict[int, int] = {}

    @property
    @override
    def num_events(self) -> int:
        return self._num_events

    @property
    @override
    def start_us(self) -> int:
        return self._span_us[0]

    @property
    @override
    def stop_us(self) -> int:
        return self._span_us[1]

    @override
    def read(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Events]:
        with self._columns() as columns:
            first_block, clock = self._seek(start_us)
            num_blocks = -(-self._num_events // _BLOCK_EVENTS)
            for block in range(first_block, num_blocks):
                offset = block * _BLOCK_EVENTS
                raw_us = _read_times(columns, offset, offset + _BLOCK_EVENTS)
                times_us = clock.raise_late(raw_us)
                self._latest_us_of_block[block] = int(times_us[-1])
                first, last = cut(times_us, start_us, stop_us)
                if last > first:
                    stretch = Columns(
                        x=columns.read("x", offset + first, offset + last),
                        y=columns.read("y", offset + first, offset + last),
                        t_us=raw_us[first:last],
                        polarity=columns.read("p", offset + first, offset + last),
                    )
                    yield clean(stretch, times_us[first:last], self)
                if stop_us is not None and last < len(times_us):
                    return

    @contextmanager
    def _columns(self) -> Iterator[EventColumns]:
        with open_columns(self.path, self._cache_bytes) as columns:
            if columns.num_events != self._num_events:
                raise RecordingError(
                    f"{self.path}: held {self._num_events} events when it was opened and now "
                    f"{columns.num_events}; open it again"
                )
            yield columns

    def _seek(self, start_us: int | None) -> tuple[int, Clock]:
        """The first block with an event at `start_us` or later, and the clock before it."""
        known = [self._latest_us_of_block[block] for block in range(len(self._latest_us_of_block))]
        block = 0 if start_us is None else bisect_left(known, start_us)
        return block, Clock(known[block - 1] if block else None)

    def _size(
        self, stated: tuple[int, int] | None, otherwise: tuple[int, int] | None
    ) -> tuple[int, int]:
        size = stated or otherwise
        if size is not None:
            return size
        logger.info(
            "%s: does not give the size of the sensor; taking %d rows and %d columns",
            self.path,
            *_DEFAULT_SIZE,
        )
        return _DEFAULT_SIZE

    @cached_property
    def _span_us(self) -> tuple[int, int]:
        if self._num_events == 0:
            return 0, 0
        with self._columns() as columns:
            clock = Clock()
            clock.raise_late(_read_times(columns, 0, 1))
            start_us = clock.latest_us or 0
            clock.raise_late(_read_times(columns, columns.tail_start, self._num_events))
        return start_us, (clock.latest_us or 0) + 1


def write_etram_recording(path: Path, chunks: Iterator[Events], height: int, width: int) -> None:
    """Write events as eTraM publishes them, one chunk in memory at a time.

    The file is written whole or not at all, and holds the same bytes whenever it is given the same
    events in the same chunks.

    Source: aayush-v/event_camera, scripts/rvt_dataset_prep/hdf5_file_handling/convert_hdf5_1.py:
    columns x and y u2, p i2, t i8, compressed by gzip, and the size of the sensor as scalars.

    Args:
        path: The file to write, by convention `<name>_td.h5`.
        chunks: The events, in order of time.
        height: Rows of the sensor, in px.
        width: Columns of the sensor, in px.
    """
    with written_whole(path) as partial, h5py.File(partial, "w") as file:
        group = file.create_group("events")
        group["height"] = height
        group["width"] = width
        columns = {
            name: group.create_dataset(
                name,
                shape=(0,),
                maxshape=(None,),
                dtype=dtype,
                chunks=(_CHUNK_EVENTS,),
                compression="gzip",
            )
            for name, dtype in _COLUMN_TYPES.items()
        }
        for events in chunks:
            values = {"x": events.x, "y": events.y, "p": events.polarity, "t": events.t_us}
            for name, column in columns.items():
                column.resize((len(column) + len(events),))
                column[len(column) - len(events) :] = values[name]


def _read_times(columns: EventColumns, first: int, last: int) -> Int64[np.ndarray, " N"]:
    return columns.read("t", first, last).astype(np.int64, copy=False)

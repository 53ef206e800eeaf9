"""Recordings in eTraM's and RVT's HDF5 layout: one dataset per column of the events."""

import logging
import os
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Shaped
from typing_extensions import override

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.machine import num_cores
from etram_pipeline.events.formats.cleaning import Clock, Columns, select
from etram_pipeline.events.formats.hdf5_columns import open_columns
from etram_pipeline.events.formats.hdf5_layout import ColumnLayout
from etram_pipeline.events.recording import Events, Recording

logger = logging.getLogger(__name__)

_DEFAULT_SIZE = (720, 1280)
"""Height and width the reference takes for a file that does not say them.

Source: uzh-rpg/RVT, scripts/genx/preprocess_dataset.py, class H5Reader.
"""

_BLOCK_EVENTS = 2**18
_BLOCKS_AHEAD = 3
_MOST_THREADS = 4
_CHUNK_EVENTS = 2**14
_COLUMN_TYPES = {"x": np.uint16, "y": np.uint16, "p": np.int16, "t": np.int64}

ReadRows = Callable[[str, int, int], Shaped[np.ndarray, " N"]]


class EtramRecording(Recording):
    """A recording in eTraM's HDF5 layout.

    Columns that are stored plainly or compressed by gzip are read and decompressed in several
    threads, others by HDF5 itself.

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
            self._offset_us = columns.offset_us
            self._tail_start = columns.tail_start
            self._cache_bytes = max(2**20, 2 * columns.largest_chunk_bytes)
            self.height, self.width = self._size(columns.sensor_size, size)
        self._identity = _identity(path.stat())
        self._latest_us_of_block: list[int] = []

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
        blocks, clock = self._seek(start_us, stop_us)
        for block, columns in zip(blocks, self._stretches(blocks), strict=True):
            events = select(columns, clock, self, (start_us, stop_us))
            if block == len(self._latest_us_of_block) and clock.latest_us is not None:
                self._latest_us_of_block.append(clock.latest_us)
            if events is not None:
                yield events
            if clock.has_reached(stop_us):
                return

    def _seek(self, start_us: int | None, stop_us: int | None) -> tuple[range, Clock]:
        """Blocks that may have events of a span, as far as is known, and the clock before them."""
        known = self._latest_us_of_block
        first = 0 if start_us is None else bisect_left(known, start_us)
        last = len(known) if stop_us is None else bisect_left(known, stop_us)
        num_blocks = -(-self._num_events // self._block_events)
        stop = last + 1 if last < len(known) else num_blocks
        return range(first, max(first, stop)), Clock(known[first - 1] if first else None)

    def _stretches(self, blocks: range) -> Iterator[Columns]:
        """Blocks of events; the next ones are decompressed on other cores while one is used."""
        ahead: deque[list[Future[np.ndarray]]] = deque()
        with (
            self._reader() as read,
            ThreadPoolExecutor(min(num_cores(), _MOST_THREADS)) as pool,
        ):
            try:
                for block in blocks:
                    first = block * self._block_events
                    last = min(first + self._block_events, self._num_events)
                    ahead.append([pool.submit(read, name, first, last) for name in "xytp"])
                    if len(ahead) > _BLOCKS_AHEAD:
                        yield _join(ahead.popleft())
                while ahead:
                    yield _join(ahead.popleft())
            finally:
                pool.shutdown(cancel_futures=True)

    @contextmanager
    def _reader(self) -> Iterator[ReadRows]:
        """Reads rows of a column; times with what the file adds to them."""
        layouts = self._layouts
        with ExitStack() as stack:
            file = os.open(self.path, os.O_RDONLY)
            stack.callback(os.close, file)
            if _identity(os.fstat(file)) != self._identity:
                raise RecordingError(f"{self.path}: changed since it was opened; open it again")
            if layouts is None:
                columns = stack.enter_context(open_columns(self.path, self._cache_bytes))

            def read(name: str, first: int, last: int) -> Shaped[np.ndarray, " N"]:
                if layouts is None:
                    rows = columns.read(name, first, last)
                else:
                    rows = layouts[name].read(file, first, last)
                return rows.astype(np.int64, copy=False) + self._offset_us if name == "t" else rows

            yield read

    @cached_property
    def _layouts(self) -> dict[str, ColumnLayout] | None:
        with open_columns(self.path) as columns:
            return columns.layouts()

    @cached_property
    def _block_events(self) -> int:
        """A multiple of the largest chunk, so that each is decompressed once."""
        layouts = (self._layouts or {}).values()
        largest = max((each.chunk_rows for each in layouts if each.is_deflated), default=1)
        return largest if largest > _BLOCK_EVENTS else _BLOCK_EVENTS // largest * largest

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
        with self._reader() as read:
            for first in range(0, self._num_events, _CHUNK_EVENTS):
                times_us = read("t", first, min(first + _CHUNK_EVENTS, self._num_events))
                if (times_us >= 0).any():
                    start_us = int(times_us[times_us >= 0][0])
                    tail_us = read("t", self._tail_start, self._num_events)
                    return start_us, max(start_us, int(tail_us.max())) + 1
        return 0, 0


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


def _join(futures: list[Future[np.ndarray]]) -> Columns:
    x, y, t_us, polarity = (future.result() for future in futures)
    return Columns(x, y, t_us, polarity)


def _identity(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_size, stat.st_mtime_ns

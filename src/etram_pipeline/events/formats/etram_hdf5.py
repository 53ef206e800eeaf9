"""Recordings in eTraM's and RVT's HDF5 layout: one dataset per column of the events."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from itertools import cycle
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import numpy.typing as npt
from typing_extensions import override

from etram_pipeline.core.files import written_whole
from etram_pipeline.core.machine import num_cores
from etram_pipeline.core.recording import Events
from etram_pipeline.events.formats.cleaning import Columns
from etram_pipeline.events.formats.hdf5_columns import open_columns
from etram_pipeline.events.formats.hdf5_layout import ColumnLayout
from etram_pipeline.events.formats.indexed import Block, IndexedRecording
from etram_pipeline.events.formats.sensor_size import size_or_etram
from etram_pipeline.events.formats.time_index import Mark, TimeIndex

_BLOCK_EVENTS = 2**18
_BLOCKS_AHEAD = 3
_MOST_THREADS = 4
_CHUNK_EVENTS = 2**14
_GZIP_LEVEL = 1
"""Files of simulated traffic are 7 % larger than at level 4, and take two thirds of the time."""
_COLUMN_TYPES = {"x": np.uint16, "y": np.uint16, "p": np.int16, "t": np.int64}

Buffers = Mapping[str, npt.NDArray[Any]]
FillRows = Callable[[str, int, npt.NDArray[Any]], None]


class EtramRecording(IndexedRecording):
    """A recording in eTraM's HDF5 layout.

    Columns that are uncompressed or compressed with gzip are read and decompressed in several
    threads, others by HDF5 itself.

    `start_us` and `stop_us` require reading both ends of the file: `stop_us` is derived from the
    last 16 384 events. If a much earlier event has a later time, all events after it are given that
    time, which is then after `stop_us`.
    """

    stored_name: ClassVar[str] = "EtramRecording"

    def __init__(self, path: Path, size: tuple[int, int] | None) -> None:
        super().__init__(path)
        with open_columns(path) as columns:
            self._num_events = columns.num_events
            self._types = columns.types
            self._times = columns.times
            self._tail_start = columns.tail_start
            self._cache_bytes = max(2**20, 2 * columns.largest_chunk_bytes)
            self.height, self.width = size_or_etram(path, columns.sensor_size, size)
        self._index = TimeIndex(Mark(state=self._times.start))

    @property
    @override
    def num_events(self) -> int:
        return self._num_events

    @property
    @override
    def start_us(self) -> int:
        return max(self._span_us[0] - self._offset_us, 0)

    @property
    @override
    def stop_us(self) -> int:
        return max(self._span_us[1] - self._offset_us, 0)

    @property
    @override
    def _blocks_recipe(self) -> list[object]:
        return [*super()._blocks_recipe, self._block_events]

    @override
    def _decode(self, block: int, state: tuple[int, ...]) -> Iterator[Block]:
        """Blocks of events; the next ones are decompressed on other cores meanwhile."""
        firsts = range(block * self._block_events, self._num_events, self._block_events)
        # Enough for the blocks ahead, the one in use, and the next one to be submitted.
        ring = cycle([self._buffers() for _ in range(min(_BLOCKS_AHEAD + 2, len(firsts)))])
        ahead: deque[tuple[Buffers, list[Future[None]]]] = deque()
        num_yielded = 0
        with self._reader() as fill, ThreadPoolExecutor(min(num_cores(), _MOST_THREADS)) as pool:
            try:
                for first, buffers in zip(firsts, ring, strict=False):
                    num_rows = min(self._block_events, self._num_events - first)
                    rows = {name: buffer[:num_rows] for name, buffer in buffers.items()}
                    ahead.append((rows, [pool.submit(fill, n, first, rows[n]) for n in rows]))
                    # One more each time, so that a short span does not wait for later blocks.
                    if len(ahead) > min(num_yielded, _BLOCKS_AHEAD):
                        yield (joined := self._join(*ahead.popleft(), state))
                        state = joined.state
                        num_yielded += 1
                while ahead:
                    yield (joined := self._join(*ahead.popleft(), state))
                    state = joined.state
            finally:
                pool.shutdown(cancel_futures=True)

    def _join(self, rows: Buffers, futures: list[Future[None]], state: tuple[int, ...]) -> Block:
        for future in futures:
            future.result()
        t_us, after = self._times.read(rows["t"], state)
        return Block(Columns(rows["x"], rows["y"], t_us, rows["p"]), after)

    def _buffers(self) -> Buffers:
        return {
            name: np.empty(min(self._block_events, self._num_events), dtype)
            for name, dtype in self._types.items()
        }

    @contextmanager
    def _reader(self) -> Iterator[FillRows]:
        """A function that fills an array with rows of a column, from a given row on."""
        layouts = self._layouts
        if layouts is None:
            with open_columns(self.path, self._cache_bytes) as columns:
                yield columns.fill
            return
        file = os.open(self.path, os.O_RDONLY)
        try:
            yield lambda name, first, rows: layouts[name].fill(file, first, rows)
        finally:
            os.close(file)

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

    @cached_property
    def _span_us(self) -> tuple[int, int]:
        """Time of the first event, and just after the last, in microseconds.

        Counters that may overflow are read completely, other columns only at their ends.
        """
        state, start_us, last_us = self._times.start, -1, -1
        first = 0
        with self._reader() as fill:
            while first < self._num_events:
                rows = np.empty(min(_CHUNK_EVENTS, self._num_events - first), self._types["t"])
                fill("t", first, rows)
                t_us, state = self._times.read(rows, state)
                last_us = max(last_us, int(t_us.max()))
                first += len(rows)
                if start_us < 0 <= last_us:
                    start_us = int(t_us[t_us >= 0][0])
                    if not self._times.begins_anew:
                        first, last_us = self._tail_start, start_us
        return (start_us, last_us + 1) if last_us >= 0 else (0, 0)


def write_etram_recording(path: Path, chunks: Iterator[Events], height: int, width: int) -> None:
    """Write events in eTraM's layout, with one chunk in memory at a time.

    The file is written completely or not at all. The same events in the same chunks always give the
    same bytes.

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
                compression_opts=_GZIP_LEVEL,
            )
            for name, dtype in _COLUMN_TYPES.items()
        }
        for rows in _whole_chunks(chunks):
            for name, column in columns.items():
                _append(column, rows[name])


def _whole_chunks(chunks: Iterator[Events]) -> Iterator[Buffers]:
    """Events in pieces as long as a chunk of a column; the last one may be shorter."""
    rest: Buffers = {name: np.empty(0, dtype) for name, dtype in _COLUMN_TYPES.items()}
    for events in chunks:
        new = {"x": events.x, "y": events.y, "p": events.polarity, "t": events.t_us}
        rows = {
            name: np.concatenate([rest[name], new[name].astype(dtype)])
            for name, dtype in _COLUMN_TYPES.items()
        }
        num_whole = len(rows["t"]) // _CHUNK_EVENTS * _CHUNK_EVENTS
        for first in range(0, num_whole, _CHUNK_EVENTS):
            yield {name: each[first : first + _CHUNK_EVENTS] for name, each in rows.items()}
        rest = {name: each[num_whole:] for name, each in rows.items()}
    if len(rest["t"]):
        yield rest


def _append(column: h5py.Dataset, rows: npt.NDArray[Any]) -> None:
    """Append a chunk directly: HDF5 crashes if it holds cached chunks when the disk is full."""
    # Five times as fast as zlib; imported here because reading does not always need it.
    from isal import isal_zlib

    first = len(column)
    column.resize((first + len(rows),))
    chunk = np.zeros(_CHUNK_EVENTS, column.dtype)
    chunk[: len(rows)] = rows
    column.id.write_direct_chunk((first,), isal_zlib.compress(chunk.tobytes(), _GZIP_LEVEL))

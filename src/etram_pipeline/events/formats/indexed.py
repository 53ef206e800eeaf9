"""Recordings that are read block by block, with an index of their times."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, NamedTuple

from typing_extensions import override

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.fingerprint import file_identity, fingerprint
from etram_pipeline.core.recording import Clock, Events, Recording
from etram_pipeline.events.formats.cleaning import Columns, Origin, RunningMaximum, select
from etram_pipeline.events.formats.time_index import NEVER_US, Mark, TimeIndex


class Block(NamedTuple):
    """Events of a block, and the state from which the next one is decoded."""

    columns: Columns
    state: tuple[int, ...] = ()


class IndexedRecording(Recording):
    """A recording in blocks, each of which can be decoded once the end of the previous is known.

    Positions that were read once are indexed: later reads begin at the block with their first
    event. The number of events and the time of the last one are known after all blocks were read.

    Args:
        path: The file.
        start: State from which the first block is decoded.

    Attributes:
        stored_name: What index files call this kind of recording; it stays when the class is
            renamed.
    """

    stored_name: ClassVar[str]

    def __init__(self, path: Path, start: tuple[int, ...] = ()) -> None:
        self.path = path
        self._identity = file_identity(path)
        self._index = TimeIndex(Mark(state=start))
        self._start_us: int | None = None
        self._offset_us = 0

    def use_clock(self, clock: Clock) -> None:
        """Count all times by another clock; call this before anything else is read.

        Raises:
            RecordingError: If the recording is damaged.
        """
        self._offset_us = self.offset_of(clock)
        self._index, self._start_us = TimeIndex(self._index.before(0)), None

    @property
    @override
    def num_events(self) -> int:
        return self._end().num_events

    @property
    @override
    def stop_us(self) -> int:
        return max(self._end().latest_us + 1, 0)

    @property
    @override
    def start_us(self) -> int:
        if self._start_us is None:
            self._start_us = self._find_start()
        return self._start_us

    @override
    def read(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Events]:
        first = self._index.find(start_us)
        maximum = self._maximum_before(first)
        origin = Origin(self.path, self.height, self.width)
        for columns in self._blocks(first):
            events = select(columns, maximum, origin, (start_us, stop_us))
            if events is not None:
                yield events
            if maximum.has_reached(stop_us):
                return

    def use_index(self, path: Path) -> None:
        """Load the index of all times from a file, or create it by reading all events.

        Args:
            path: File of the index, which is written if it does not exist. An index that is damaged
                or of another recording is replaced.

        Raises:
            RecordingError: If the recording is damaged, or the index cannot be written.
        """
        clock = [self._offset_us] if self._offset_us else []
        identity = fingerprint([self._identity, self._blocks_recipe, *clock])
        known = TimeIndex.load(path, identity)
        if known is not None and known.before(0) == self._index.before(0):
            self._index = known
            return
        self._end()
        self._index.save(path, identity)

    @property
    def _blocks_recipe(self) -> list[object]:
        """Plain data that changes when the same file would be divided into other blocks."""
        return [self.stored_name]

    @abstractmethod
    def _decode(self, block: int, state: tuple[int, ...]) -> Iterator[Block]:
        """Blocks from number `block` on, of bounded size; events are valid until the next block."""

    def _blocks(self, first: int) -> Iterator[Columns]:
        """Events of the blocks from `first` on; their ends are added to the index."""
        self._check_unchanged()
        mark = self._index.before(first)
        for number, block in enumerate(self._decode(first, mark.state), first):
            columns = block.columns
            if self._offset_us:
                columns = replace(columns, t_us=columns.t_us - self._offset_us)
            times_us = columns.t_us
            latest_us = max(mark.latest_us, int(times_us.max(initial=NEVER_US)))
            mark = Mark(mark.num_events + len(times_us), latest_us, block.state)
            self._index.add(number, mark)
            yield columns
        self._index.finish()

    def _maximum_before(self, block: int) -> RunningMaximum:
        latest_us = self._index.before(block).latest_us
        return RunningMaximum(None if latest_us == NEVER_US else latest_us)

    def _end(self) -> Mark:
        if self._index.end is None:
            for _ in self._blocks(self._index.num_blocks):
                pass
        return self._index.end or Mark()

    def _find_start(self) -> int:
        maximum = RunningMaximum()
        for columns in self._blocks(0):
            times_us = maximum.raise_late(columns.t_us)
            if maximum.has_reached(0):
                return int(times_us[times_us >= 0][0])
        return 0

    def _check_unchanged(self) -> None:
        try:
            identity = file_identity(self.path)
        except OSError as error:
            raise RecordingError(f"{self.path}: cannot be read: {error}") from error
        if identity != self._identity:
            raise RecordingError(f"{self.path}: has changed since it was opened; open it again")

"""Recordings that are read block by block, with an index of their times."""

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

from typing_extensions import override

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.fingerprint import file_identity, fingerprint
from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.formats.cleaning import Columns, RunningMaximum, select
from etram_pipeline.events.formats.time_index import NEVER_US, Mark, TimeIndex


class Block(NamedTuple):
    """Events of a block, and the state to decode the next one from."""

    columns: Columns
    state: tuple[int, ...] = ()


class IndexedRecording(Recording):
    """A recording in blocks, each of which can be read once the end of the one before is known.

    What was read once is known: later reads begin at the block that holds their first event. How
    many events there are, and the time of the last, is known after all blocks were read.

    Args:
        path: The file.
        start: State to decode the first block from.

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
        clock = self._clock(first)
        for columns in self._blocks(first):
            events = select(columns, clock, self, (start_us, stop_us))
            if events is not None:
                yield events
            if clock.has_reached(stop_us):
                return

    def use_index(self, path: Path) -> None:
        """Know where every time is, from a file of an earlier call or else by reading all events.

        Args:
            path: Where the index is, or is written to after it was made. One that is damaged or
                of another recording is replaced.

        Raises:
            RecordingError: If the recording is damaged, or the index cannot be written.
        """
        identity = fingerprint([self._identity, self._blocks_recipe])
        known = TimeIndex.load(path, identity)
        if known is not None and known.before(0) == self._index.before(0):
            self._index = known
            return
        self._end()
        self._index.save(path, identity)

    @property
    def _blocks_recipe(self) -> list[object]:
        """Plain data that changes when the same file would give other blocks."""
        return [self.stored_name]

    @abstractmethod
    def _decode(self, block: int, state: tuple[int, ...]) -> Iterator[Block]:
        """Blocks from number `block` on, of bounded size; the events hold until the next one."""

    def _blocks(self, first: int) -> Iterator[Columns]:
        """Events of blocks, whose ends are noted on the way."""
        self._check_unchanged()
        mark = self._index.before(first)
        for number, block in enumerate(self._decode(first, mark.state), first):
            times_us = block.columns.t_us
            latest_us = max(mark.latest_us, int(times_us.max(initial=NEVER_US)))
            mark = Mark(mark.num_events + len(times_us), latest_us, block.state)
            self._index.add(number, mark)
            yield block.columns
        self._index.finish()

    def _clock(self, block: int) -> RunningMaximum:
        latest_us = self._index.before(block).latest_us
        return RunningMaximum(None if latest_us == NEVER_US else latest_us)

    def _end(self) -> Mark:
        if self._index.end is None:
            for _ in self._blocks(self._index.num_blocks):
                pass
        return self._index.end or Mark()

    def _find_start(self) -> int:
        clock = RunningMaximum()
        for columns in self._blocks(0):
            times_us = clock.raise_late(columns.t_us)
            if clock.has_reached(0):
                return int(times_us[times_us >= 0][0])
        return 0

    def _check_unchanged(self) -> None:
        try:
            identity = file_identity(self.path)
        except OSError as error:
            raise RecordingError(f"{self.path}: cannot be read: {error}") from error
        if identity != self._identity:
            raise RecordingError(f"{self.path}: has changed since it was opened; open it again")

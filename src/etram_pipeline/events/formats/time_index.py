"""Index of the times in a recording, by which reading starts in the middle of the file."""

import hashlib
import json
from bisect import bisect_left
from pathlib import Path
from typing import NamedTuple

import numpy as np

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.files import written_whole

NEVER_US = -(2**63)
"""Latest time before the first event."""

_VERSION = 1
_LARGEST_FIRST_LINE = 2**12


class Mark(NamedTuple):
    """State at the border between two blocks of a recording.

    Attributes:
        num_events: Events before it.
        latest_us: Latest time of any event before it, in microseconds; `NEVER_US` without events.
        state: State of the format's decoder; always of the same length.
    """

    num_events: int = 0
    latest_us: int = NEVER_US
    state: tuple[int, ...] = ()


class TimeIndex:
    """Marks at the ends of a recording's blocks, as far as it was read.

    Blocks are numbered from 0; the reader chooses their length. Readers of one recording may share
    an index, because marks are only ever added.

    Args:
        start: The mark before the first block.
    """

    def __init__(self, start: Mark = Mark()) -> None:  # noqa: B008  a Mark cannot change
        self._start = start
        self._ends: dict[int, Mark] = {}
        self._is_complete = False

    @property
    def num_blocks(self) -> int:
        """Number of blocks known."""
        return len(self._ends)

    @property
    def end(self) -> Mark | None:
        """The mark at the end of the recording; None until a reader has reached it."""
        return self.before(self.num_blocks) if self._is_complete else None

    def add(self, block: int, end: Mark) -> None:
        """Add the mark at the end of a block; all blocks before it must be known.

        Raises:
            ValueError: If a block before it is unknown.
        """
        if block > len(self._ends):
            raise ValueError(f"block {block} was marked, but only {len(self._ends)} are known")
        self._ends[block] = end

    def finish(self) -> None:
        """Record that no further block follows."""
        self._is_complete = True

    def before(self, block: int) -> Mark:
        """The mark at the beginning of a block; all blocks before it must be known."""
        return self._ends[block - 1] if block else self._start

    def find(self, start_us: int | None) -> int:
        """The first block with an event at `start_us` or later, else the first unknown block.

        Args:
            start_us: None for the beginning.
        """
        if start_us is None:
            return 0
        return bisect_left(
            range(len(self._ends)), start_us, key=lambda block: self._ends[block].latest_us
        )

    def save(self, path: Path, identity: str) -> None:
        """Write a complete index to a file.

        Args:
            path: The file, which is written completely or not at all.
            identity: Changes when the recording or its division into blocks changes.

        Raises:
            RecordingError: If the file cannot be written.
        """
        marks = [self._start, *(self._ends[block] for block in range(len(self._ends)))]
        table = np.array([(m.num_events, m.latest_us, *m.state) for m in marks], "<i8")
        content = table.tobytes()
        known_by = {"version": _VERSION, "identity": identity}
        first_line = {**known_by, "marks": table.shape, "digest": _digest(content)}
        try:
            with written_whole(path) as partial:
                partial.write_bytes(json.dumps(first_line).encode() + b"\n" + content)
        except OSError as error:
            raise RecordingError(
                f"{path}: the time index cannot be written: {error}; give a file in a folder that "
                "can be written to, or none"
            ) from error

    @staticmethod
    def load(path: Path, identity: str) -> "TimeIndex | None":
        """The index that `save` wrote for the same identity; None if it differs or is damaged."""
        try:
            with path.open("rb") as file:
                first_line = json.loads(file.readline(_LARGEST_FIRST_LINE))
                content = file.read()
            wanted = {"version": _VERSION, "identity": identity, "digest": _digest(content)}
            if first_line != {**first_line, **wanted}:
                return None
            table = np.frombuffer(content, "<i8").reshape(first_line["marks"]).tolist()
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        start, *ends = [Mark(row[0], row[1], tuple(row[2:])) for row in table]
        index = TimeIndex(start)
        index._ends = dict(enumerate(ends))
        index.finish()
        return index


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

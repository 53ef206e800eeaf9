"""Times as files store them: in counters that overflow, and in several units."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Integer

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.fields import UNITS_NS

_LOOP = 1 << 32
_HALF_LOOP = 1 << 31
_LARGEST = 2**63 - 1
_NEAR = 1 << 26
"""How close to its ends a counter is that begins anew."""


@dataclass(frozen=True)
class TimeColumn:
    """A column of times, which becomes microseconds.

    Counters of 32 bits begin anew, in microseconds every 71 minutes. A step of more than half the
    range counts as a step the other way round, as in DAT files: so events in the wrong order are no
    new beginning.

    Attributes:
        path: The file, for messages.
        name: Name of the column in it, for messages.
        dtype: Type of the column.
        unit: Unit of its numbers, a key of `UNITS_NS`.
        offset_us: What is added to all times.
    """

    path: Path
    name: str
    dtype: np.dtype[np.generic]
    unit: str = "us"
    offset_us: int = 0

    @property
    def begins_anew(self) -> bool:
        """Whether later times may have smaller numbers."""
        return self.dtype.itemsize * 8 == _LOOP.bit_length() - 1

    @property
    def start(self) -> tuple[int, ...]:
        """What `read` needs to know before the first times."""
        return (0, 0, 0) if self.begins_anew else ()

    def read(
        self, values: Integer[np.ndarray, " N"], state: tuple[int, ...]
    ) -> tuple[Int64[np.ndarray, " N"], tuple[int, ...]]:
        """Times in microseconds, and what to give with the next ones.

        Raises:
            RecordingError: If a time is too large to count with, or a counter begins anew in a
                column of more than its bits.
        """
        counts = values.astype(np.int64, copy=False)
        if values.dtype.kind == "u" and values.dtype.itemsize == counts.itemsize and len(values):
            self._check(int(values.max()), self.unit)
        if self.begins_anew and len(counts):
            counts, state = _continued(counts, state)
        elif len(counts) and counts.min() < _NEAR:
            self._check_loops(counts)
        return self._to_us(counts), state

    def _check_loops(self, counts: Int64[np.ndarray, " N"]) -> None:
        """Refuse a counter that begins anew in a column too wide for it."""
        is_low = (counts[1:] >= 0) & (counts[1:] < _NEAR)
        for bits in (31, 32):
            loop = 1 << bits
            rows = np.flatnonzero(is_low & (counts[:-1] >= loop - _NEAR) & (counts[:-1] < loop))
            if len(rows):
                before, after = counts[rows[0] : rows[0] + 2].tolist()
                raise RecordingError(
                    f"{self.path}: {self.name} falls from {before} to {after}, as a counter of "
                    f"{bits} bits that begins anew; add 2**{bits} to all times from there on and "
                    "write the recording again"
                )

    def _to_us(self, counts: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
        unit_ns = UNITS_NS[self.unit]
        if unit_ns < UNITS_NS["us"]:
            counts = counts // (UNITS_NS["us"] // unit_ns)
        elif unit_ns > UNITS_NS["us"]:
            factor = unit_ns // UNITS_NS["us"]
            if len(counts):
                self._check(max(int(counts.max()), -int(counts.min())) * factor, "us")
            counts = counts * factor
        return counts + self.offset_us if self.offset_us else counts

    def _check(self, largest: int, unit: str) -> None:
        if largest > _LARGEST:
            raise RecordingError(
                f"{self.path}: {self.name} has the time {largest} {unit}, but the largest that can "
                f"be is {_LARGEST}; write the recording again"
            )


def _continued(
    counts: Int64[np.ndarray, " N"], state: tuple[int, ...]
) -> tuple[Int64[np.ndarray, " N"], tuple[int, ...]]:
    """Counts that go on where the counter began anew.

    Args:
        counts: As the file has them.
        state: Whether there were any before, how many loops, and the last of them in the file.
    """
    started, num_loops, last = state
    steps = np.diff(counts, prepend=last if started else counts[0])
    turns = (steps < -_HALF_LOOP).astype(np.int64) - (steps >= _HALF_LOOP)
    after = (1, num_loops + int(turns.sum()), int(counts[-1]))
    if num_loops or turns.any():
        counts = counts + (num_loops + np.cumsum(turns)) * _LOOP
    return counts, after

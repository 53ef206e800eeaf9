"""Timestamps as files store them: in several units, and in counters that overflow."""

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
"""Greatest distance of a counter from the ends of its range when it overflows."""


@dataclass(frozen=True)
class TimeColumn:
    """A column of timestamps, which is converted to microseconds.

    Counters of 32 bits overflow, in microseconds every 71 minutes. A step of more than half the
    range is taken for a step in the other direction, as in DAT files, so that events in the wrong
    order are not mistaken for an overflow.

    Attributes:
        path: The file, for messages.
        name: Name of the column in it, for messages.
        dtype: Type of the column.
        unit: Unit of its numbers, a key of `UNITS_NS`.
        offset_us: Number of microseconds added to all times.
    """

    path: Path
    name: str
    dtype: np.dtype[np.generic]
    unit: str = "us"
    offset_us: int = 0

    @property
    def begins_anew(self) -> bool:
        """Whether the counter may overflow, so that later times have smaller numbers."""
        return self.dtype.itemsize * 8 == _LOOP.bit_length() - 1

    @property
    def start(self) -> tuple[int, ...]:
        """State for the first call of `read`."""
        return (0, 0, 0) if self.begins_anew else ()

    def read(
        self, values: Integer[np.ndarray, " N"], state: tuple[int, ...]
    ) -> tuple[Int64[np.ndarray, " N"], tuple[int, ...]]:
        """Times in microseconds, and the state for the next call.

        Raises:
            RecordingError: If a time is too large, or if a 32-bit counter overflows in a wider
                column.
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
        """Refuse a counter that overflows in a column wider than itself."""
        is_low = (counts[1:] >= 0) & (counts[1:] < _NEAR)
        for bits in (31, 32):
            loop = 1 << bits
            rows = np.flatnonzero(is_low & (counts[:-1] >= loop - _NEAR) & (counts[:-1] < loop))
            if len(rows):
                before, after = counts[rows[0] : rows[0] + 2].tolist()
                raise RecordingError(
                    f"{self.path}: {self.name} falls from {before} to {after}, like a counter of "
                    f"{bits} bits that overflows; add 2**{bits} to all times from there on and "
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
                f"{self.path}: {self.name} contains the time {largest} {unit}, but the largest "
                f"possible time is {_LARGEST}; write the recording again"
            )


def _continued(
    counts: Int64[np.ndarray, " N"], state: tuple[int, ...]
) -> tuple[Int64[np.ndarray, " N"], tuple[int, ...]]:
    """Counts that continue where the counter overflowed.

    Args:
        counts: Counts as stored in the file.
        state: Whether there were earlier counts, the number of overflows, and the last count.
    """
    started, num_loops, last = state
    steps = np.diff(counts, prepend=last if started else counts[0])
    turns = (steps < -_HALF_LOOP).astype(np.int64) - (steps >= _HALF_LOOP)
    after = (1, num_loops + int(turns.sum()), int(counts[-1]))
    if num_loops or turns.any():
        counts = counts + (num_loops + np.cumsum(turns)) * _LOOP
    return counts, after

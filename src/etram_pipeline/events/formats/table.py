"""Recordings that are a table of whole numbers, one event per row."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from etram_pipeline.events.formats.cleaning import Columns
from etram_pipeline.events.formats.counter import TimeColumn
from etram_pipeline.events.formats.fields import NAMES, check_order
from etram_pipeline.events.formats.indexed import Block, IndexedRecording
from etram_pipeline.events.formats.time_index import Mark, TimeIndex

BLOCK_EVENTS = 2**16

Rows = Mapping[str, npt.NDArray[Any]]
"""Columns `t`, `x`, `y` and `p` of some rows, of any integer type."""

_REMEDY = "write them in the order t, x, y, p, or as a structured array with these names"


class TableRecording(IndexedRecording):
    """A table of known length, read in blocks of equally many rows."""

    _num_events: int
    _times: TimeColumn
    _has_names: bool

    @property
    @override
    def num_events(self) -> int:
        return self._num_events

    @property
    @override
    def _blocks_recipe(self) -> list[object]:
        return [*super()._blocks_recipe, BLOCK_EVENTS]

    def _describe(
        self, num_events: int, times: TimeColumn, size: tuple[int, int], *, has_names: bool
    ) -> None:
        """Set the properties that are known once the file was opened.

        Args:
            num_events: Number of rows.
            times: Unit and offset of the times.
            size: Height and width of the sensor, in px.
            has_names: Whether the columns have names.
        """
        self._has_names = has_names
        self._num_events = num_events
        self._times = times
        self.height, self.width = size
        self._index = TimeIndex(Mark(state=times.start))

    @override
    def _decode(self, block: int, state: tuple[int, ...]) -> Iterator[Block]:
        for number, rows in enumerate(self._rows(self._spans(block * BLOCK_EVENTS)), block):
            if number == 0 and not self._has_names:
                check_order(self.path, [rows[name] for name in NAMES], _REMEDY)
            x, y, polarity = (np.ascontiguousarray(rows[name]) for name in "xyp")
            t_us, state = self._times.read(np.ascontiguousarray(rows["t"]), state)
            yield Block(Columns(x, y, t_us, polarity), state)

    def _spans(self, first: int) -> Iterator[tuple[int, int]]:
        for start in range(first, self._num_events, BLOCK_EVENTS):
            yield start, min(start + BLOCK_EVENTS, self._num_events)

    @abstractmethod
    def _rows(self, spans: Iterator[tuple[int, int]]) -> Iterator[Rows]:
        """The rows of each span, from its first row, included, to its last, excluded."""

"""Recordings that have to be decoded from their beginning."""

import logging
from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Shaped
from typing_extensions import override

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.cleaning import Clock, Columns, select
from etram_pipeline.events.formats.prophesee_header import Header
from etram_pipeline.events.recording import Events, Recording

logger = logging.getLogger(__name__)


class Extent(NamedTuple):
    """Number of events of a recording, time of the first and just after the last."""

    num_events: int
    start_us: int
    stop_us: int


class EncodedRecording(Recording):
    """A header and then words of fixed size, read in blocks.

    How many events there are, and when, is only known after decoding all of them: the first
    question about it costs a pass over the file, whose answer is kept.

    Args:
        header: The file's header.
        size: Height and width of the sensor in px, for headers without them.
        word: Type of a word.
        data_start: Byte at which the first word begins.
    """

    def __init__(
        self,
        header: Header,
        size: tuple[int, int] | None,
        word: npt.DTypeLike,
        data_start: int,
    ) -> None:
        self.path: Path = header.path
        self.height, self.width = header.sensor_size(otherwise=size)
        self._data_start = data_start
        self._word = np.dtype(word)
        remainder = (self.path.stat().st_size - data_start) % self._word.itemsize
        if remainder:
            logger.warning(
                "%s: the last %d bytes are an incomplete word and are ignored; was the recording "
                "cut off?",
                self.path,
                remainder,
            )

    @property
    @override
    def num_events(self) -> int:
        return self._extent.num_events

    @property
    @override
    def start_us(self) -> int:
        return self._extent.start_us

    @property
    @override
    def stop_us(self) -> int:
        return self._extent.stop_us

    @override
    def read(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Events]:
        clock = Clock()
        for columns in self._decode():
            events = select(columns, clock, self, (start_us, stop_us))
            if events is not None:
                yield events
            if clock.has_reached(stop_us):
                return

    @abstractmethod
    def _decode(self) -> Iterator[Columns]:
        """All events, in the order of the file, in chunks of bounded size."""

    def _blocks(self, num_words: int) -> Iterator[Shaped[np.ndarray, " N"]]:
        block_bytes = num_words * self._word.itemsize
        try:
            with self.path.open("rb") as file:
                file.seek(self._data_start)
                while len(block := file.read(block_bytes)) >= self._word.itemsize:
                    whole_words = len(block) // self._word.itemsize
                    yield np.frombuffer(block, self._word, count=whole_words)
        except OSError as error:
            raise RecordingError(f"{self.path}: cannot be read: {error}") from error

    @cached_property
    def _extent(self) -> Extent:
        clock = Clock()
        num_events, start_us = 0, 0
        for columns in self._decode():
            clock.raise_late(columns.t_us)
            if num_events == 0 and len(columns.t_us):
                start_us = int(columns.t_us[0])
            num_events += len(columns.t_us)
        stop_us = 0 if clock.latest_us is None else clock.latest_us + 1
        return Extent(num_events, start_us, stop_us)

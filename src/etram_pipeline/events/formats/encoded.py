"""Recordings that must be decoded from their beginning."""

import io
import logging
from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
from jaxtyping import Shaped
from typing_extensions import override

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.encoding import Encoding, allocate, columns_of
from etram_pipeline.events.formats.indexed import Block, IndexedRecording
from etram_pipeline.events.formats.prophesee_header import Header

logger = logging.getLogger(__name__)

_MOST_BLOCK_EVENTS = 2**21
_MOST_BLOCK_WORDS = 2**18


class EncodedRecording(IndexedRecording):
    """A header followed by words of fixed size, decoded in blocks.

    Args:
        header: The header of the file.
        size: Height and width of the sensor in px, for headers that do not state them.
        data_start: Byte at which the first word begins.
    """

    def __init__(self, header: Header, size: tuple[int, int] | None, data_start: int) -> None:
        super().__init__(header.path, start=(0,) * self._encoding.state_size)
        self.height, self.width = header.sensor_size(otherwise=size)
        self.started_at = header.date
        self._data_start = data_start
        word_bytes = np.dtype(self._encoding.word).itemsize
        self._num_words, remainder = divmod(self.path.stat().st_size - data_start, word_bytes)
        self.num_bytes_ignored = remainder
        if remainder:
            logger.warning(
                "%s: the last %d bytes are an incomplete word and are ignored; was the recording "
                "cut off?",
                self.path,
                remainder,
            )

    @property
    @abstractmethod
    def _encoding(self) -> Encoding:
        """Encoding of events in the words."""

    @property
    def _block_words(self) -> int:
        return min(_MOST_BLOCK_WORDS, _MOST_BLOCK_EVENTS // self._encoding.events_per_word)

    @property
    @override
    def _blocks_recipe(self) -> list[object]:
        encoding = self._encoding
        kind = [encoding.name, encoding.recipe, self._block_words]
        return [*super()._blocks_recipe, *kind]

    @override
    def _decode(self, block: int, state: tuple[int, ...]) -> Iterator[Block]:
        encoding, numbers = self._encoding, np.array(state, np.int64)
        arrays = allocate(min(self._block_words, self._num_words) * encoding.events_per_word)
        for words in self._words(block):
            count = encoding.decode(words, numbers, arrays)
            yield Block(columns_of(arrays, count), tuple(numbers.tolist()))
        if self._num_words and not numbers[0]:
            raise RecordingError(
                f"{self.path}: none of the {self._num_words} words after byte {self._data_start} "
                "contains a time, so the file does not hold what its header states; is it damaged?"
            )

    def _words(self, block: int) -> Iterator[Shaped[np.ndarray, " N"]]:
        """Words of the blocks from `block` on, valid until the next ones."""
        buffer = np.empty(self._block_words, self._encoding.word)
        position = block * self._block_words
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self._data_start + position * buffer.itemsize)
                while position < self._num_words:
                    words = buffer[: self._num_words - position]
                    _fill(file, words)
                    yield words
                    position += len(words)
        except OSError as error:
            raise RecordingError(f"{self.path}: cannot be read: {error}") from error


def _fill(file: io.FileIO, words: Shaped[np.ndarray, " N"]) -> None:
    """Read all of `words` from a file."""
    rest = words.view(np.uint8).data
    while rest:
        num_bytes = file.readinto(rest)
        if not num_bytes:
            raise OSError("it became shorter while it was being read")
        rest = rest[num_bytes:]

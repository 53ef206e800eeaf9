"""Prophesee RAW recordings: the data stream of a camera as it came, behind a header."""

from collections.abc import Iterator

import numpy as np
from typing_extensions import override

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats import evt2, evt3
from etram_pipeline.events.formats.cleaning import Columns
from etram_pipeline.events.formats.encoded import EncodedRecording
from etram_pipeline.events.formats.encoding import EVENT
from etram_pipeline.events.formats.prophesee_header import Header

_ENCODINGS = {"EVT2": evt2.ENCODING, "EVT3": evt3.ENCODING}
_MOST_BLOCK_EVENTS = 2**20
_MOST_BLOCK_WORDS = 2**18


class RawRecording(EncodedRecording):
    """A RAW recording in one of the encodings known here.

    Times are those of the camera's clock, which seldom starts at zero.
    """

    def __init__(self, header: Header, encoding: str, size: tuple[int, int] | None) -> None:
        if encoding not in _ENCODINGS:
            raise RecordingError(
                f"{header.path}: a Prophesee RAW file encoded as {encoding}; supported are "
                f"{', '.join(_ENCODINGS)}: convert it with Prophesee's metavision_file_to_dat, or "
                "record it as EVT3"
            )
        self._encoding_name = encoding
        super().__init__(header, size, _ENCODINGS[encoding].word, header.num_bytes)

    @override
    def _decode(self) -> Iterator[Columns]:
        encoding = _ENCODINGS[self._encoding_name]
        state = np.zeros(1, encoding.state)
        block_words = min(_MOST_BLOCK_WORDS, _MOST_BLOCK_EVENTS // encoding.events_per_word)
        events = np.empty(block_words * encoding.events_per_word, EVENT)
        num_words = 0
        for words in self._blocks(block_words):
            count = encoding.decode(words, state, events)
            num_words += len(words)
            decoded = events[:count]
            yield Columns(decoded["x"], decoded["y"], decoded["t_us"], decoded["polarity"])
        if num_words and not state["started"][0]:
            raise RecordingError(
                f"{self.path}: none of the {num_words} words after byte {self._data_start} tells "
                f"the time, so this is not {self._encoding_name} data; was the file damaged?"
            )

"""Prophesee RAW recordings: a header, then the unchanged data stream of a camera."""

from typing import ClassVar

import numpy as np
from typing_extensions import override

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import Clock
from etram_pipeline.events.formats import evt2, evt3, evt21
from etram_pipeline.events.formats.encoded import EncodedRecording
from etram_pipeline.events.formats.encoding import Encoding, allocate
from etram_pipeline.events.formats.prophesee_header import Header

_ENCODINGS = {
    ("EVT2", "little"): evt2.ENCODING,
    ("EVT21", "little"): evt21.LITTLE,
    ("EVT21", "legacy"): evt21.LEGACY,
    ("EVT3", "little"): evt3.ENCODING,
}


class RawRecording(EncodedRecording):
    """A RAW recording in one of the supported encodings.

    Times are those of the camera's clock, which seldom starts at zero.
    """

    stored_name: ClassVar[str] = "RawRecording"

    def __init__(self, header: Header, encoding: str, size: tuple[int, int] | None) -> None:
        self._kind = (encoding, header.endianness)
        if self._kind not in _ENCODINGS:
            raise RecordingError(
                f"{header.path}: a Prophesee RAW file encoded as {' '.join(self._kind)}; supported "
                "are EVT2, EVT3, EVT21 little and EVT21 legacy: convert it with Prophesee's "
                "metavision_file_to_dat, or record it as EVT3"
            )
        super().__init__(header, size, header.num_bytes)

    @override
    def offset_of(self, clock: Clock) -> int:
        # As in prophesee-ai/openeb, hal_psee_plugins/include/decoders: the time of the first word
        # with high bits, in EVT3 less one step of these bits.
        if clock != "sdk":
            return super().offset_of(clock)
        encoding = self._encoding
        state, events = np.zeros(encoding.state_size, np.int64), allocate(encoding.events_per_word)
        for words in self._words(0):
            for place in range(len(words)):
                encoding.decode(words[place : place + 1], state, events)
                if state[0]:
                    return max(int(state[1]) - encoding.sdk_lead_us, 0)
        return 0

    @property
    def _encoding(self) -> Encoding:
        return _ENCODINGS[self._kind]

"""Prophesee RAW recordings: a header, then the unchanged data stream of a camera."""

from typing import ClassVar

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats import evt2, evt3, evt21
from etram_pipeline.events.formats.encoded import EncodedRecording
from etram_pipeline.events.formats.encoding import Encoding
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

    @property
    def _encoding(self) -> Encoding:
        return _ENCODINGS[self._kind]

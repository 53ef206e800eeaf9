"""Files that are no recordings known here."""

from pathlib import Path

import pytest

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.recording import open_recording


@pytest.mark.parametrize(
    ("content", "description"),
    [
        (b"", "the file is empty"),
        (b"#!AER-DAT4.1\r\n\x00", "an AEDAT recording"),
        (b"#!AER-DAT2.0\r\n# comment", "an AEDAT recording"),
        (b"Event Stream\x02\x00\x00", r"an Event Stream \(ES\) recording"),
        (b"\x93NUMPY\x01\x00", "a NumPy array; are these the labels"),
        (b"PK\x03\x04\x14\x00", "a ZIP or NPZ archive"),
        (b"\x1f\x8b\x08\x00", "compressed by gzip"),
        (b"t,x,y,p\n0,1,2,1\n", "this is text, beginning 't,x,y,p"),
        (b"\x00\x01\x02\x03", "begins with the bytes 00 01 02 03"),
        (b"\x89HDF\r\n", "begins with the bytes 89 48 44 46"),
        (b"% a text with percent signs\n", r"neither `evt` nor `format`"),
        (b"%", "header of 0 bytes"),
    ],
)
@pytest.mark.parametrize("suffix", ["h5", "raw"])
def test_a_foreign_file_is_described_and_the_supported_formats_are_named(
    content: bytes, description: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"recording.{suffix}"
    path.write_bytes(content)

    with pytest.raises(RecordingError, match=description) as raised:
        open_recording(path)

    assert str(raised.value).startswith(f"{path}: ")
    assert not content or "eTraM or RVT HDF5" in str(raised.value)

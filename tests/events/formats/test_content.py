"""Files that are no recordings known here."""

from pathlib import Path

import pytest

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.content import may_hold_events
from etram_pipeline.events.recording import open_recording


@pytest.mark.parametrize(
    ("content", "description"),
    [
        (b"", "the file is empty"),
        (b"#ROSBAG V2.0\n", "this is a ROS 1 bag; convert it: read its events with .*rosbags"),
        (b"\x89MCAP0\r\n", "this is an MCAP file, .*; convert it: .*rosbags.*np.savez"),
        (b"SQLite format 3\x00", "an SQLite database, such as a ROS 2 bag; convert it"),
        (b"#!AER-DAT4.1\r\n\x00", "an AEDAT recording of another version than 4.0.* convert it"),
        (b"#!AER-DAT2.0\r\n# comment", "an AEDAT recording"),
        (b"Event Stream\x02\x00\x00", r"an Event Stream \(ES\) recording; convert it"),
        (b"\x93NUMPY\x01\x00", "NumPy file is damaged .* fetch or write the file again"),
        (b"PK\x03\x04\x14\x00", "NumPy file is damaged"),
        (b"\x1f\x8b\x08\x00", "compressed by gzip; unpack it"),
        (b"BZh9", "compressed by bzip2; unpack it"),
        (b"\xfd7zXZ\x00", "compressed by xz; unpack it"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it"),
        (b"Rar!\x1a\x07\x01", "a RAR archive; unpack it"),
        (b"a.raw" + bytes(252) + b"ustar\x00", "a TAR archive; unpack it"),
        (b"\x00\x00\x00\x18ftypisom", "an MP4 video; a recording holds events, not frames"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "an AVI video"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS .*; fetch .*`git lfs pull`"),
        (b"\n<!DOCTYPE html>\n<html>", "a web page, perhaps an error message of a download"),
        (b'{"message": "not found"}', "a JSON document, perhaps an error message"),
        (bytes(600), "an incomplete download, which begins with zeros only"),
        (b"t,x,y,p\n0,1,2,1\n", r"text with events \(t x y p\), but the unit .* `# unit: us`"),
        (b"the quick brown fox", "this is text that begins with 'the quick brown fox'"),
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


@pytest.mark.parametrize(
    ("content", "holds_events"),
    [
        (b"", False),
        (b"# unit: us\n1 2 3 1\n", True),
        (b"1 2 3 1\n", True),
        (b"t,x,y,p\n", True),
        (b"0 0.5 0.5 0.1 0.1\n", False),
        (b"t,x,y,w,h,class_id\n1,2,3,4,5,6\n", False),
        (b"1.5\n2.5\n", False),
        (b"read me\n", False),
        (b"\x93NUMPY\x01\x00", True),
        (b"\x89HDF\r\n\x1a\n", True),
        (b"version https://git-lfs.github.com/spec/v1\n", True),
        (bytes(8), False),
    ],
)
def test_files_of_suffixes_that_much_else_has_are_looked_into(
    content: bytes, *, holds_events: bool, tmp_path: Path
) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(content)

    assert may_hold_events(path) == holds_events

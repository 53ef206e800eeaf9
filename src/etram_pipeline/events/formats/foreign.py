"""Recognises files that are often mistaken for recordings, by their first bytes."""

NUM_BYTES = 512
"""Number of bytes at the beginning of a file that are inspected."""

_UNPACK = "unpack it and give the recording in it"
_BY_ARRAYS = (
    "convert it: read its events with {reader} and save them by "
    "`np.savez('recording.npz', t=…, x=…, y=…, p=…)`, times in microseconds"
)
_FROM_ROS = _BY_ARRAYS.format(reader="the package `rosbags`")
_FRAMES = "a recording holds events, not frames; v2e simulates events of a video"
_FETCH = "fetch the recording itself"

_SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"#ROSBAG", "a ROS 1 bag", _FROM_ROS),
    (0, b"\x89MCAP0\r\n", "an MCAP file, as ROS 2 and Foxglove write", _FROM_ROS),
    (0, b"SQLite format 3\x00", "an SQLite database, such as a ROS 2 bag", _FROM_ROS),
    (
        0,
        b"#!AER-DAT",
        "an AEDAT recording of another version than 4.0, as jAER and cAER write",
        "convert it to AEDAT 4.0 with iniVation's DV, or "
        + _BY_ARRAYS.format(reader="the package `dv-processing` or jAER").removeprefix(
            "convert it: "
        ),
    ),
    (
        0,
        b"Event Stream",
        "an Event Stream (ES) recording",
        _BY_ARRAYS.format(reader="the package `event_stream` or `faery`"),
    ),
    (
        0,
        b"MATLAB",
        "a MATLAB file",
        _BY_ARRAYS.format(reader="`scipy.io.loadmat`, or h5py from version 7.3 on"),
    ),
    (
        0,
        b"PAR1",
        "a Parquet table",
        _BY_ARRAYS.format(reader="`pandas.read_parquet`"),
    ),
    (0, b"ARROW1", "an Arrow table", _BY_ARRAYS.format(reader="`pandas.read_feather`")),
    *(
        (0, bytes([0x80, version]), "a Python pickle", "save its events by `np.savez` instead")
        for version in range(2, 6)
    ),
    (0, b"PK\x03\x04", "a ZIP archive", _UNPACK),
    (0, b"PK\x05\x06", "an empty ZIP archive", _FETCH),
    (0, b"\x1f\x8b", "compressed by gzip", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "compressed by zstd", _UNPACK),
    (0, b"\x04\x22\x4d\x18", "compressed by lz4", _UNPACK),
    (0, b"\xfd7zXZ\x00", "compressed by xz", _UNPACK),
    (0, b"BZh", "compressed by bzip2", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (257, b"ustar", "a TAR archive", _UNPACK),
    (4, b"ftyp", "an MP4 video", _FRAMES),
    (8, b"AVI ", "an AVI video", _FRAMES),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video", _FRAMES),
    (0, b"\x89PNG", "a PNG image", _FRAMES),
    (0, b"\xff\xd8\xff", "a JPEG image", _FRAMES),
    (
        0,
        b"version https://git-lfs.github.com/",
        "a pointer of Git LFS in place of the file",
        "fetch the file by `git lfs pull`",
    ),
    (
        0,
        b"/annex/objects/",
        "a pointer of git-annex in place of the file",
        "fetch the file by `git annex get`",
    ),
    (0, b"\xff\xfe", "text in UTF-16", "save it as UTF-8"),
    (0, b"\xfe\xff", "text in UTF-16", "save it as UTF-8"),
)
_MARKUP = (
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", "an XML document"),
    (b"{", "a JSON document"),
)


def describe_foreign(beginning: bytes) -> tuple[str, str] | None:
    """Description of a file and what to do with it; None if it is of no known kind.

    Args:
        beginning: The first `NUM_BYTES` bytes of the file, or all if there are fewer.
    """
    for place, signature, description, remedy in _SIGNATURES:
        if beginning.startswith(signature, place):
            return description, remedy
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for start, description in _MARKUP:
        if text.startswith(start):
            return f"{description}, perhaps an error message of a download", _FETCH
    if not beginning.strip(b"\x00"):
        return "an incomplete download, which begins with zeros only", _FETCH
    return None


def is_pointer(beginning: bytes) -> bool:
    """Whether a file is a pointer of Git LFS or git-annex to another file."""
    found = describe_foreign(beginning)
    return found is not None and "in place of the file" in found[0]

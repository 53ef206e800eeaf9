"""Recognises the format of a recording by the content of its file.

The command line imports this module. Readers that need h5py, PyArrow or Numba are therefore
imported only where a file needs them.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from numpy.lib.format import MAGIC_PREFIX

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.fields import match_fields
from etram_pipeline.events.formats.foreign import NUM_BYTES, describe_foreign, is_pointer
from etram_pipeline.events.formats.indexed import IndexedRecording
from etram_pipeline.events.formats.numpy_arrays import (
    NumpyRecording,
    find_layout,
    is_archive_of_arrays,
)
from etram_pipeline.events.formats.prophesee_header import read_header
from etram_pipeline.events.formats.text import CONTROL_CODES, TextRecording, read_text_header

if TYPE_CHECKING:
    import h5py

_SUPPORTED = (
    "eTraM or RVT HDF5, HDF5 with rows of events, Prophesee RAW (EVT2, EVT2.1, EVT3), Prophesee "
    "DAT, Prophesee HDF5, AEDAT4, NumPy's .npy and .npz, and text"
)
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_AEDAT4_SIGNATURE = b"#!AER-DAT4.0\r\n"
_ZIP_SIGNATURE = b"PK\x03\x04"


def open_by_content(path: Path, size: tuple[int, int] | None) -> IndexedRecording:
    """The recording in an existing file.

    Raises:
        RecordingError: If the format is not supported, or the file is damaged.
        OSError: If the file cannot be read.
    """
    beginning = _read_beginning(path)
    if not beginning:
        raise RecordingError(f"{path}: the file is empty; fetch or write it again")
    if beginning.startswith(_HDF5_SIGNATURE):
        return _open_hdf5(path, size)
    if beginning.startswith(_AEDAT4_SIGNATURE):
        from etram_pipeline.events.formats.aedat4 import Aedat4Recording

        return Aedat4Recording(path, size)
    if beginning.startswith(b"%"):
        return _open_prophesee(path, size)
    if beginning.startswith(MAGIC_PREFIX) or _is_npz(path, beginning):
        return NumpyRecording(path, size)
    foreign = describe_foreign(beginning)
    if foreign is not None:
        description, remedy = foreign
        raise RecordingError(f"{path}: this is {description}; {remedy}; supported are {_SUPPORTED}")
    text = _open_text(path, size) if _is_text(beginning) else None
    if text is not None:
        return text
    raise RecordingError(f"{path}: {_describe(beginning)}; supported are {_SUPPORTED}")


def may_hold_events(path: Path) -> bool:
    """Whether a file may be a recording, for folders in which other files have the same suffix.

    Damaged files and Git LFS pointers count, so that their reader reports them. Arrays and text
    without events do not count.
    """
    try:
        beginning = _read_beginning(path)
        if beginning.startswith((_HDF5_SIGNATURE, _AEDAT4_SIGNATURE)) or is_pointer(beginning):
            return True
        if beginning.startswith((MAGIC_PREFIX, _ZIP_SIGNATURE)):
            return find_layout(path) is not None
        return _is_text(beginning) and read_text_header(path) is not None
    except (OSError, RecordingError):
        return True


def _read_beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(NUM_BYTES)


def _is_npz(path: Path, beginning: bytes) -> bool:
    if not beginning.startswith(_ZIP_SIGNATURE):
        return False
    return is_archive_of_arrays(path)


def _open_text(path: Path, size: tuple[int, int] | None) -> IndexedRecording | None:
    header = read_text_header(path)
    return None if header is None else TextRecording(path, header, size)


def _is_text(beginning: bytes) -> bool:
    """Whether bytes may be UTF-8 text, possibly cut within the last character."""
    return (
        bool(beginning)
        and not set(beginning) & CONTROL_CODES
        and ("\ufffd" not in beginning[:-4].decode(errors="replace"))
    )


def _open_hdf5(path: Path, size: tuple[int, int] | None) -> IndexedRecording:
    kind = _kind_of_hdf5(path)
    if kind == "prophesee":
        from etram_pipeline.events.formats.prophesee_hdf5 import PropheseeRecording

        return PropheseeRecording(path, size)
    if kind == "rows":
        from etram_pipeline.events.formats.hdf5_rows import RowsRecording

        return RowsRecording(path, size)
    from etram_pipeline.events.formats.etram_hdf5 import EtramRecording

    return EtramRecording(path, size)


def _kind_of_hdf5(path: Path) -> Literal["prophesee", "rows", "columns"]:
    """Layout of an HDF5 file; `columns` if it cannot be read, so that this reader reports it."""
    import h5py

    from etram_pipeline.events.formats.hdf5_layout import HDF5_ERRORS
    from etram_pipeline.events.formats.hdf5_places import find_events

    try:
        with h5py.File(path, "r") as file:
            if _is_prophesee(file):
                return "prophesee"
            is_rows = isinstance(find_events(path, file).entry, h5py.Dataset)
            return "rows" if is_rows else "columns"
    except (RecordingError, *HDF5_ERRORS):
        return "columns"


def _is_prophesee(file: "h5py.File") -> bool:
    """Whether a group `CD` holds events in Prophesee's layout, not one dataset per column."""
    import h5py

    group = file.get("CD")
    events = group.get("events") if isinstance(group, h5py.Group) else None
    has_columns = isinstance(events, h5py.Group) and match_fields(events) is not None
    return isinstance(group, h5py.Group) and not has_columns


def _open_prophesee(path: Path, size: tuple[int, int] | None) -> IndexedRecording:
    header = read_header(path)
    encoding = header.format_name
    if encoding is not None:
        from etram_pipeline.events.formats.prophesee_raw import RawRecording

        return RawRecording(header, encoding, size)
    if header.fields.get("data", "").startswith("file containing"):
        from etram_pipeline.events.formats.prophesee_dat import DatRecording

        return DatRecording(header, size)
    text = _open_text(path, size)
    if text is not None:
        return text
    raise RecordingError(
        f"{path}: begins like a Prophesee file, but its header of {header.num_bytes} bytes has "
        f"neither `evt` nor `format` (RAW) nor `Data file containing` (DAT), only "
        f"{sorted(header.fields)}; supported are {_SUPPORTED}"
    )


def _describe(beginning: bytes) -> str:
    if _is_text(beginning):
        shown = beginning[:32].decode(errors="replace")
        return (
            f"this is text that begins with {shown!r}, but a recording has a line `t x y p` for "
            "each event, and a line `# unit: us` (or ns, ms, s) before them"
        )
    return f"the format is unknown: the file begins with the bytes {beginning[:8].hex(' ')}"

"""Tells the format of a recording by what its file holds."""

from pathlib import Path

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.indexed import IndexedRecording
from etram_pipeline.events.formats.prophesee_header import read_header

_SUPPORTED = (
    "eTraM or RVT HDF5, Prophesee RAW (EVT2, EVT2.1, EVT3), Prophesee DAT, Prophesee HDF5, AEDAT4"
)
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_AEDAT4_SIGNATURE = b"#!AER-DAT4.0\r\n"
_FOREIGN_SIGNATURES = {
    b"#!AER-DAT": "an AEDAT recording of jAER",
    b"Event Stream": "an Event Stream (ES) recording",
    b"\x93NUMPY": "a NumPy array; are these the labels?",
    b"PK\x03\x04": "a ZIP or NPZ archive",
    b"\x1f\x8b": "compressed by gzip",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"7z\xbc\xaf": "a 7z archive",
}
_CONTROL_CODES = set(range(ord(" "))) - set(b"\t\r\n")


def open_by_content(path: Path, size: tuple[int, int] | None) -> IndexedRecording:
    """The recording in an existing file.

    Raises:
        RecordingError: If the format is not known here, or the file is damaged.
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        beginning = file.read(64)
    if not beginning:
        raise RecordingError(f"{path}: the file is empty; fetch or write it again")
    if beginning.startswith(_HDF5_SIGNATURE):
        return _open_hdf5(path, size)
    if beginning.startswith(_AEDAT4_SIGNATURE):
        from etram_pipeline.events.formats.aedat4 import Aedat4Recording

        return Aedat4Recording(path, size)
    if beginning.startswith(b"%"):
        return _open_prophesee(path, size)
    raise RecordingError(f"{path}: {_describe(beginning)}; supported are {_SUPPORTED}")


def _open_hdf5(path: Path, size: tuple[int, int] | None) -> IndexedRecording:
    if _holds_group(path, "CD"):
        from etram_pipeline.events.formats.prophesee_hdf5 import PropheseeRecording

        return PropheseeRecording(path, size)

    from etram_pipeline.events.formats.etram_hdf5 import EtramRecording

    return EtramRecording(path, size)


def _holds_group(path: Path, name: str) -> bool:
    """Whether an HDF5 file has a group; False where it cannot be opened, which its reader tells."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return name in file
    except (OSError, RuntimeError, ValueError, KeyError):
        return False


def _open_prophesee(path: Path, size: tuple[int, int] | None) -> IndexedRecording:
    header = read_header(path)
    encoding = header.format_name
    if encoding is not None:
        from etram_pipeline.events.formats.prophesee_raw import RawRecording

        return RawRecording(header, encoding, size)
    if header.fields.get("data", "").startswith("file containing"):
        from etram_pipeline.events.formats.prophesee_dat import DatRecording

        return DatRecording(header, size)
    raise RecordingError(
        f"{path}: begins like a Prophesee file, but its header of {header.num_bytes} bytes has "
        f"neither `evt` nor `format` (RAW) nor `Data file containing` (DAT); found "
        f"{sorted(header.fields)}. Supported are {_SUPPORTED}"
    )


def _describe(beginning: bytes) -> str:
    for signature, description in _FOREIGN_SIGNATURES.items():
        if beginning.startswith(signature):
            return f"this is {description}"
    if beginning.isascii() and not set(beginning) & _CONTROL_CODES:
        return f"this is text, beginning {beginning[:32].decode()!r}"
    return f"the format is not known: the file begins with the bytes {beginning[:8].hex(' ')}"

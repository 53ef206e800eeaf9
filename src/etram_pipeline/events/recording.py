"""Opening recordings of any supported format."""

from pathlib import Path

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import LARGEST_SIZE, Clock, Recording
from etram_pipeline.events.formats.content import open_by_content

_FOR_HDF5 = "h5py hdf5plugin isal"
_INSTALL = {"h5py": _FOR_HDF5, "hdf5plugin": _FOR_HDF5, "pyarrow": "pyarrow"}
"""What formats need besides the least that is installed, by the name that is not found first."""


def open_recording(
    path: str | Path,
    *,
    size: tuple[int, int] | None = None,
    index: Path | None = None,
    clock: Clock = "file",
) -> Recording:
    """Open a recording in any supported format, recognised by content, not by suffix.

    Reading from the middle starts at the nearest position whose time is known, which is as far as
    the recording was read before. With an index, all times are known from the start.

    Args:
        path: eTraM or RVT HDF5, HDF5 with rows of events, Prophesee RAW (EVT2, EVT2.1, EVT3), DAT
            or HDF5, AEDAT4, NumPy's .npy or .npz, or text that states the unit of its times.
        size: Height and width in px, used if the file does not state them.
        clock: Which moment has the time 0.
        index: File that stores the times. An index of the same recording is used as it is;
            otherwise the recording is read once and the file is written, completely or not at all.

    Raises:
        RecordingError: If the file does not exist, has an unknown format or is damaged, if a
            library that its format needs is not installed, or if the index cannot be written.
        ValueError: If `size` is not that of any sensor.
    """
    path = Path(path)
    if size is not None and not all(1 <= side <= LARGEST_SIZE for side in size):
        raise ValueError(f"height and width must be from 1 to {LARGEST_SIZE} px; got {size}")
    try:
        if path.is_dir():
            raise RecordingError(f"{path}: this is a folder; give the file of one recording in it")
        if not path.is_file():
            raise RecordingError(f"{path}: there is no such file; check the path")
        recording = open_by_content(path, size)
        recording.use_clock(clock)
    except OSError as error:
        raise RecordingError(f"{path}: the file cannot be read: {error}") from error
    except ModuleNotFoundError as error:
        if error.name not in _INSTALL:
            raise
        raise RecordingError(
            f"{path}: its format is read by {error.name}, which is not installed: "
            f"pip install {_INSTALL[error.name]}"
        ) from error
    if index is not None:
        recording.use_index(index)
    return recording

"""Opening recordings of any supported format."""

from pathlib import Path

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import LARGEST_SIZE, Recording
from etram_pipeline.events.formats.content import open_by_content


def open_recording(
    path: str | Path, *, size: tuple[int, int] | None = None, index: Path | None = None
) -> Recording:
    """Recording in any supported format, told by content, not by suffix.

    Reading from the middle begins where the handle knows the time, which is as far as it was read.
    With an index it knows all times at once.

    Args:
        path: eTraM or RVT HDF5, HDF5 with rows of events, Prophesee RAW (EVT2, EVT2.1, EVT3), DAT
            or HDF5, AEDAT4, NumPy's .npy or .npz, or text that states the unit of its times.
        size: Height and width in px, used when the file does not say them.
        index: File to keep the times in. One that was made of the same recording is used as it is;
            otherwise the recording is read once and the file written, whole or not at all.

    Raises:
        RecordingError: If there is no such file, its format is not known, or it is damaged; or if
            the index cannot be written.
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
    except OSError as error:
        raise RecordingError(f"{path}: the file cannot be read: {error}") from error
    if index is not None:
        recording.use_index(index)
    return recording

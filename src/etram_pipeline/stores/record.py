"""The record of stored files: how they were made.

The record of a recording is a JSON file beside its labels, and an attribute of the HDF5 file of its
representations. RVT ignores both.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from etram_pipeline.core.component import Settings
from etram_pipeline.core.errors import StoreError
from etram_pipeline.labels.moments import LeftOut

RECORD_ATTRIBUTE = "etram_pipeline"
"""Attribute of an HDF5 file that holds the record."""


class Summary(Settings):
    """Counts of what is stored of one recording.

    Attributes:
        num_windows: Windows encoded.
        num_frames: Labelled frames, or windows that end at one.
        num_boxes: Boxes of ground truth.
        num_bytes: Size on disk.
        num_events: Events read, those outside the sensor included.
        num_dropped: Events outside the sensor, which were left out.
        num_late: Events timed before an earlier one, which count at the time of that one.
        num_early: Events before time zero, which were left out.
        left_out: Labelled moments that are no labelled frame, by the reason.
        started_at: Clock time of time zero; None if the recording does not state one.
    """

    num_windows: int = 0
    num_frames: int = 0
    num_boxes: int = 0
    num_bytes: int = 0
    num_events: int = 0
    num_dropped: int = 0
    num_late: int = 0
    num_early: int = 0
    left_out: LeftOut = Field(default=LeftOut(), exclude_if=lambda value: not value.total)
    started_at: datetime | None = Field(default=None, exclude_if=lambda value: value is None)


class Record(Settings):
    """How stored files were made.

    Attributes:
        fingerprint: Fingerprint of inputs and settings; empty while the files are being written.
        settings: The settings as plain data.
        summary: Counts of the result.
        interval_us: Regular interval of labelled frames; 0 if there is none.
    """

    fingerprint: str
    settings: dict[str, Any]
    summary: Summary = Summary()
    interval_us: int = 0


def read_record(path: Path) -> Record | None:
    """Record in a JSON file or in the attribute of an HDF5 file; None where there is none.

    Raises:
        StoreError: If the file is damaged.
        PermissionError: If it may not be read.
    """
    if not path.is_file():
        return None
    try:
        text = path.read_text() if path.suffix == ".json" else _read_attribute(path)
        return None if text is None else Record.model_validate_json(text)
    except (ValidationError, UnicodeDecodeError) as error:
        raise StoreError(
            f"the record in {path} is damaged; delete the file to have it made again"
        ) from error


def _read_attribute(path: Path) -> str | None:
    import h5py

    try:
        with h5py.File(path) as file:
            text = file.attrs.get(RECORD_ATTRIBUTE)
    except PermissionError:
        raise
    except (OSError, KeyError, RuntimeError) as error:  # whichever bytes it is that are damaged
        raise StoreError(
            f"{path} is not a whole HDF5 file; delete it to have it made again: {error}"
        ) from error
    return None if text is None else str(text)

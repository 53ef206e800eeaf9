"""Names of exported files, and the records of the export.

All formats share the pictures. Each format adds its own files of boxes, at the paths that it
prescribes. The records of the export are in a hidden folder of the dataset.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pydantic import Field, ValidationError

from etram_pipeline.core.component import Settings
from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.files import written_whole
from etram_pipeline.stores.layout import EXPORT

PICTURES_FOLDER = "images"
BOXES_FOLDER = "labels"
"""Files of boxes; YOLO derives their paths by replacing `images` in the path of a picture."""

NOTES_FOLDER = ".export"
EXPORT_RECORD_FILE = "record.json"
LEDGER_FILE = "frames.json"
SUMMARY_FILE = "dataset.json"

Box = tuple[int, float, float, float, float]
"""Class id, left, top, width and height, in px of the picture."""


class ExportedFrame(Settings):
    """One picture and its boxes.

    Attributes:
        name: Name of its files, without folder and suffix.
        time_us: End of its window, in microseconds.
        boxes: Its boxes.
    """

    name: str
    time_us: int
    boxes: tuple[Box, ...]


class Ledger(Settings):
    """Exported files of one recording.

    Attributes:
        files: Files written by the export, finished or not, relative to the dataset.
        width: Columns of its pictures.
        height: Rows of its pictures.
        frames: Its pictures; empty while they are being written.
    """

    files: tuple[str, ...]
    width: int
    height: int
    frames: tuple[ExportedFrame, ...] = ()


Ledgers = Callable[[], Iterable[tuple[str, Ledger]]]
"""Returns keys and ledgers of recordings, in the same order on every call."""


class SplitSummary(Settings):
    """Contents of a split of the dataset.

    Attributes:
        recordings: Number of recordings with pictures.
        pictures: Number of pictures.
        boxes: Number of boxes.
        boxes_of_class: Number of boxes by class name.
    """

    recordings: int = 0
    pictures: int = 0
    boxes: int = 0
    boxes_of_class: dict[str, int] = Field(default_factory=dict)


class DatasetSummary(Settings):
    """Contents of a complete dataset.

    Attributes:
        fingerprint: Fingerprint of recordings and settings.
        splits: Contents of each split.
    """

    fingerprint: str
    splits: dict[str, SplitSummary]


def picture_file(split: str, name: str) -> str:
    """Path of the picture of a frame, relative to the dataset."""
    return f"{PICTURES_FOLDER}/{split}/{name}.png"


def label_file(split: str, name: str) -> str:
    """Path of YOLO's file with the boxes of a frame, relative to the dataset."""
    return f"{BOXES_FOLDER}/{split}/{name}.txt"


def ledger_path(root: Path, key: str) -> Path:
    """Path of the ledger of a recording in the dataset under `root`."""
    return root / NOTES_FOLDER / key / EXPORT / LEDGER_FILE


def read_ledger(path: Path) -> Ledger:
    """Read a ledger; empty if the file does not exist.

    Raises:
        StoreError: If it is damaged.
    """
    if not path.is_file():
        return Ledger(files=(), width=0, height=0)
    try:
        return Ledger.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise StoreError(
            f"{path} is damaged, so the files of the export are unknown; delete the whole exported "
            f"dataset and run `export` again: {error}"
        ) from error


def read_ledgers(root: Path, keys: list[str]) -> Iterator[tuple[str, Ledger]]:
    """Read the ledgers of recordings one by one, so that memory use stays constant."""
    for key in keys:
        yield key, read_ledger(ledger_path(root, key))


def read_summary(root: Path) -> DatasetSummary | None:
    """Contents of the dataset under `root`; None unless it is complete."""
    path = root / NOTES_FOLDER / SUMMARY_FILE
    if not path.is_file():
        return None
    try:
        return DatasetSummary.model_validate_json(path.read_bytes())
    except ValidationError:
        # The next export replaces a damaged file.
        return None


def write_notes(path: Path, notes: Settings) -> None:
    """Write a record of the export, replacing the old file."""
    with written_whole(path) as partial:
        partial.write_text(notes.model_dump_json())

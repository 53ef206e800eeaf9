"""Names of exported files, and what an export notes about itself.

Pictures are shared by all formats; each format adds its own files of boxes, in the places where
those who read it look for them. Notes lie in a hidden folder beside.
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
"""Files of boxes, which YOLO finds by replacing `images` in the path of a picture."""

NOTES_FOLDER = ".export"
EXPORT_RECORD_FILE = "record.json"
LEDGER_FILE = "frames.json"
SUMMARY_FILE = "dataset.json"

Box = tuple[int, float, float, float, float]
"""Class, then left, top, width and height in px of the picture."""


class ExportedFrame(Settings):
    """One picture and its boxes.

    Attributes:
        name: Name of its files, without folder and suffix.
        time_us: End of the window it shows.
        boxes: Its boxes.
    """

    name: str
    time_us: int
    boxes: tuple[Box, ...]


class Ledger(Settings):
    """What was exported of one recording.

    Attributes:
        files: Files that are the export's own, whether finished or not, relative to the dataset.
        width: Columns of its pictures.
        height: Rows of its pictures.
        frames: Its pictures; empty while they are being written.
    """

    files: tuple[str, ...]
    width: int
    height: int
    frames: tuple[ExportedFrame, ...] = ()


Ledgers = Callable[[], Iterable[tuple[str, Ledger]]]
"""Gives keys and ledgers of recordings, in the same order each time it is called."""


class SplitSummary(Settings):
    """What a split of the dataset holds.

    Attributes:
        recordings: Recordings with pictures.
        pictures: Pictures.
        boxes: Boxes.
        boxes_of_class: Boxes by name of their class.
    """

    recordings: int = 0
    pictures: int = 0
    boxes: int = 0
    boxes_of_class: dict[str, int] = Field(default_factory=dict)


class DatasetSummary(Settings):
    """What a finished dataset holds.

    Attributes:
        fingerprint: Identifies recordings and settings.
        splits: What each split holds.
    """

    fingerprint: str
    splits: dict[str, SplitSummary]


def picture_file(split: str, name: str) -> str:
    """Picture of a frame, relative to the dataset."""
    return f"{PICTURES_FOLDER}/{split}/{name}.png"


def label_file(split: str, name: str) -> str:
    """YOLO's file of the boxes of a frame, relative to the dataset."""
    return f"{BOXES_FOLDER}/{split}/{name}.txt"


def ledger_path(root: Path, key: str) -> Path:
    """File of the ledger of a recording in the dataset under `root`."""
    return root / NOTES_FOLDER / key / EXPORT / LEDGER_FILE


def read_ledger(path: Path) -> Ledger:
    """A ledger; an empty one where there is none.

    Raises:
        StoreError: If it is damaged.
    """
    if not path.is_file():
        return Ledger(files=(), width=0, height=0)
    try:
        return Ledger.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise StoreError(
            f"{path} is damaged, so nobody knows which pictures are the export's own; delete the "
            f"whole exported dataset and run `export` again: {error}"
        ) from error


def read_ledgers(root: Path, keys: list[str]) -> Iterator[tuple[str, Ledger]]:
    """Recordings and their ledgers, one after another, so that memory does not grow with them."""
    for key in keys:
        yield key, read_ledger(ledger_path(root, key))


def read_summary(root: Path) -> DatasetSummary | None:
    """What the dataset under `root` holds; None unless it is finished."""
    path = root / NOTES_FOLDER / SUMMARY_FILE
    if not path.is_file():
        return None
    try:
        return DatasetSummary.model_validate_json(path.read_bytes())
    except ValidationError:
        # It was damaged from outside, and is written anew by the next export.
        return None


def write_notes(path: Path, notes: Settings) -> None:
    """Replace a file of notes."""
    with written_whole(path) as partial:
        partial.write_text(notes.model_dump_json())

"""Names of stored files, and what they say about themselves.

A recording is stored in the folder `<root>/<split>/<name>`, its labels and its representations in
folders of their own. These, the files in them and their contents are RVT's, so that what is made
here trains there and the other way round. Ours alone are the records and the index, which RVT does
not look at.

Source: RVT, `scripts/genx/preprocess_dataset.py` and `data/genx_utils/sequence_base.py`.
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from etram_pipeline.core.component import Settings
from etram_pipeline.core.dataset import SPLITS
from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.fingerprint import FileIdentity

Product = Literal["labels_v2", "event_representations_v2", "quality", "export"]
"""What is stored of a recording, and the folder it is stored in."""

LABELS: Product = "labels_v2"
REPRESENTATIONS: Product = "event_representations_v2"
QUALITY: Product = "quality"
EXPORT: Product = "export"

LABELS_FILE = "labels.npz"
TIMES_FILE = "timestamps_us.npy"
FRAME_WINDOWS_FILE = "objframe_idx_2_repr_idx.npy"
IMAGES_FILES = {1: "event_representations.h5", 2: "event_representations_ds2_nearest.h5"}
"""File of the images, by how many sensor px make one of theirs along each axis."""

RECORD_FILE = "settings.json"
RECORD_ATTRIBUTE = "etram_pipeline"


class Summary(Settings):
    """Numbers about what is stored of one recording.

    Attributes:
        num_windows: Windows encoded.
        num_frames: Labelled frames, or windows that end at one.
        num_boxes: Boxes of ground truth.
        num_bytes: Size on disk.
        num_events: Events read, those outside the sensor included.
        num_dropped: Events outside the sensor, which were left out.
        num_late: Events timed before an earlier one, which count at the time of that one.
        num_early: Events before time zero, which were left out.
    """

    num_windows: int = 0
    num_frames: int = 0
    num_boxes: int = 0
    num_bytes: int = 0
    num_events: int = 0
    num_dropped: int = 0
    num_late: int = 0
    num_early: int = 0


class Record(Settings):
    """What stored files say about how they were made.

    Attributes:
        fingerprint: Identifies inputs and settings; empty while the files are being written.
        settings: The settings, as plain data.
        summary: What came out.
        interval_us: Regular distance of labelled frames; 0 if that means nothing here.
    """

    fingerprint: str
    settings: dict[str, Any]
    summary: Summary = Summary()
    interval_us: int = 0


class Provenance(Settings):
    """All that decided what is stored of one recording, so that a change of it can be named.

    Attributes:
        recipe: What was done, and in which version.
        parameters: Settings, as plain data.
        inputs: Files that were read.
    """

    recipe: str
    parameters: dict[str, Any]
    inputs: tuple[FileIdentity, ...]

    def __fingerprint__(self) -> object:
        return [self.recipe, self.inputs, self.parameters]


class IndexEntry(Settings):
    """One recording in an index.

    Attributes:
        file: The stored file that holds the record, relative to the root.
        fingerprint: Of its record.
        summary: Of its record.
        origin: What it was made of; None where that is not known.
        sizes: Bytes of each of its files, by name relative to the recording's folder.
    """

    file: str
    fingerprint: str
    summary: Summary
    origin: Provenance | None = None
    sizes: dict[str, int] = Field(default_factory=dict)


class Skip(Settings):
    """A recording of which there is nothing to store.

    Attributes:
        fingerprint: Of the inputs and settings that this is true of.
        reason: Why.
        origin: What it was looked for in; None where that is not known.
    """

    fingerprint: str
    reason: str
    origin: Provenance | None = None


class Index(Settings):
    """What the last build under a root came to.

    Attributes:
        complete: Whether the build ran to its end.
        recordings: Stored recordings, by key.
        skipped: Recordings of which there is nothing to store.
        failed: Recordings that could not be computed, and why.
    """

    complete: bool
    recordings: dict[str, IndexEntry] = Field(default_factory=dict)
    skipped: dict[str, Skip] = Field(default_factory=dict)
    failed: dict[str, str] = Field(default_factory=dict)


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


def index_path(root: Path, product: Product) -> Path:
    """File that lists what the last build under `root` stored."""
    return root / f"{product}.index.json"


def read_index(root: Path, product: Product) -> Index | None:
    """What the last build under `root` stored; None where no build ever was.

    Raises:
        StoreError: If the index is damaged.
    """
    path = index_path(root, product)
    if not path.is_file():
        return None
    try:
        return Index.model_validate_json(path.read_text())
    except (ValidationError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} is damaged; run `preprocess` again") from error


def write_index(root: Path, product: Product, index: Index) -> None:
    """Replace the index under `root`."""
    with written_whole(index_path(root, product)) as partial:
        partial.write_text(json.dumps(index.model_dump(mode="json"), indent=1))


def recording_folders(root: Path) -> dict[str, Path]:
    """Folders of recordings under `root`, whatever is in them, by `<split>/<name>`."""
    return {
        f"{split}/{folder.name}": folder
        for split in SPLITS
        if (root / split).is_dir()
        for folder in sorted((root / split).iterdir())
        if folder.is_dir()
    }


def recording_files(root: Path, name: str) -> dict[str, Path]:
    """A file of each recording under `root` that has it, by key of the recording."""
    files = {key: folder / name for key, folder in recording_folders(root).items()}
    return {key: file for key, file in files.items() if file.is_file()}


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

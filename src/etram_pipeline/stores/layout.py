"""Names of stored files and folders.

A recording is stored in the folder `<root>/<split>/<name>`, its labels and its representations in
folders of their own. These folders, their files and the contents are RVT's, so that data made here
trains there and the other way round. RVT ignores the records and the index, which only we write.

Source: RVT, `scripts/genx/preprocess_dataset.py` and `data/genx_utils/sequence_base.py`.
"""

from pathlib import Path
from typing import Literal

from etram_pipeline.core.dataset import SPLITS
from etram_pipeline.core.recording_key import RecordingKey

Product = Literal["labels_v2", "event_representations_v2", "quality", "export"]
"""What is stored of a recording, and the folder it is stored in."""

LABELS: Product = "labels_v2"
REPRESENTATIONS: Product = "event_representations_v2"
QUALITY: Product = "quality"
EXPORT: Product = "export"

LABELS_FILE = "labels.npz"
MASKS_FILE = "masks.json"
TIMES_FILE = "timestamps_us.npy"
FRAME_WINDOWS_FILE = "objframe_idx_2_repr_idx.npy"
IMAGES_FILES = {1: "event_representations.h5", 2: "event_representations_ds2_nearest.h5"}
"""File of the images, by how many sensor px make one of theirs along each axis."""

RECORD_FILE = "settings.json"


def recording_folders(root: Path) -> dict[str, Path]:
    """Folders of recordings under `root` by key, whatever they contain."""
    return {
        str(RecordingKey(split, folder.name)): folder
        for split in SPLITS
        if (root / split).is_dir()
        for folder in sorted((root / split).iterdir())
        if folder.is_dir()
    }


def files_of_recordings(root: Path, name: str) -> dict[str, Path]:
    """The file `name` of each recording under `root` that has one, by key of the recording."""
    files = {key: folder / name for key, folder in recording_folders(root).items()}
    return {key: file for key, file in files.items() if file.is_file()}

"""Labelled frames of many recordings."""

from pathlib import Path

from typing_extensions import override

from etram_pipeline.core.fingerprint import file_digest, fingerprint
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.stores.layout import (
    LABELS,
    LABELS_FILE,
    MASKS_FILE,
    TIMES_FILE,
    files_of_recordings,
)
from etram_pipeline.stores.reader import read_labelled_frames, read_stored_masks
from etram_pipeline.stores.store import Store


class LabelStore(Store[LabelledFrames]):
    """Labelled frames of recordings, read when asked for; a recording without any is not listed."""

    def __init__(self, root: Path, *, masks: bool = False) -> None:
        """Find the recordings under `root`.

        Args:
            root: Folder the recordings lie under.
            masks: Whether the boxes are read with their masks, which then are part of the content.

        Raises:
            StoreError: If there are none, or if making them was interrupted.
        """
        super().__init__(root, LABELS)
        self._masks = masks

    @override
    def __getitem__(self, key: str) -> LabelledFrames:
        folder = self._files[key].parent
        frames = read_labelled_frames(folder)
        return read_stored_masks(folder, frames) if self._masks else frames

    def with_masks(self) -> "LabelStore":
        """The same labels, read with their masks; reading a recording without any is an error."""
        return LabelStore(self._root, masks=True)

    def has_masks(self, key: str) -> bool:
        """Whether masks of the boxes of a recording are stored."""
        return (self._files[key].parent / MASKS_FILE).is_file()

    @override
    def _content(self, key: str) -> str:
        folder = self._files[key].parent
        names = (LABELS_FILE, TIMES_FILE, *((MASKS_FILE,) if self._masks else ()))
        return fingerprint([file_digest(folder / name) for name in names])

    @override
    def _scanned(self) -> dict[str, Path]:
        return files_of_recordings(self._root, f"{LABELS}/{LABELS_FILE}")

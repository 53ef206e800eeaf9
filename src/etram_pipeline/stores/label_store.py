"""Labelled frames of many recordings."""

from pathlib import Path

from typing_extensions import override

from etram_pipeline.core.fingerprint import file_digest, fingerprint
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.stores.layout import LABELS, LABELS_FILE, TIMES_FILE, files_of_recordings
from etram_pipeline.stores.reader import read_labelled_frames
from etram_pipeline.stores.store import Store


class LabelStore(Store[LabelledFrames]):
    """Labelled frames of recordings, read when asked for; a recording without any is not listed."""

    def __init__(self, root: Path) -> None:
        """Find the recordings under `root`.

        Raises:
            StoreError: If there are none, or if making them was interrupted.
        """
        super().__init__(root, LABELS)

    @override
    def __getitem__(self, key: str) -> LabelledFrames:
        return read_labelled_frames(self._files[key].parent)

    @override
    def _content(self, key: str) -> str:
        folder = self._files[key].parent
        return fingerprint([file_digest(folder / name) for name in (LABELS_FILE, TIMES_FILE)])

    @override
    def _scanned(self) -> dict[str, Path]:
        return files_of_recordings(self._root, f"{LABELS}/{LABELS_FILE}")

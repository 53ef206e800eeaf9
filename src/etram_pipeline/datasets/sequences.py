"""Recordings and label files that lie in a folder of their own for each sequence, as in DSEC."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kedro.io import DatasetError
from typing_extensions import override

from etram_pipeline.core.dataset import SPLITS
from etram_pipeline.core.recording_key import RecordingKey
from etram_pipeline.datasets.recordings import RELATIVE_PATHS, RawFolderDataset


class SequenceFilesDataset(RawFolderDataset):
    """The file of one name in each folder `<path>/<split>/<sequence>`, by `<split>/<sequence>`.

    Args:
        path: Folder of the data set.
        file: The file, relative to the folder of a sequence.
        val: Sequences of the folder `train` that belong to the split `val`.
        metadata: Read by kedro-viz.
    """

    def __init__(
        self,
        *,
        path: str,
        file: str,
        val: Sequence[str] = (),
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(path=path, metadata=metadata)
        self._file = file
        self._val = frozenset(val)

    @override
    def load(self) -> dict[str, Path]:
        if not self._path.is_dir():
            raise DatasetError(f"{self._path} is no folder: {RELATIVE_PATHS}")
        found: dict[str, Path] = {}
        for split in SPLITS:
            for file in sorted((self._path / split).glob(f"*/{self._file}")):
                sequence = file.relative_to(self._path / split).parts[0]
                own = "val" if split == "train" and sequence in self._val else split
                key = str(RecordingKey(own, sequence))
                if key in found:
                    raise DatasetError(
                        f"{found[key]} and {file} would both be recording {key}: remove one of them"
                    )
                found[key] = file
        return found


class SequenceRecordingsDataset(SequenceFilesDataset):
    """Event files of sequences, of which there must be some."""

    @override
    def load(self) -> dict[str, Path]:
        found = super().load()
        if not found:
            raise DatasetError(
                f"no recordings in {self._path}: none of {', '.join(SPLITS)} has a folder "
                f"<sequence>/{self._file}; name the folder of the data set by "
                "`--params recording=…`, or as path of `recordings` in the catalog"
            )
        return found


class SequenceLabelsDataset(SequenceFilesDataset):
    """Label files of sequences; empty if there are none."""

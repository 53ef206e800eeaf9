"""Tracks and lines in the files of other programs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from typing_extensions import override

from etram_pipeline.datasets.replaced_folder import new_folder, replace_folder, sweep

Write = Callable[[Path], None]
"""Writes the content of a folder."""


class TrackFilesDataset(AbstractDataset[Write, Path]):
    """A folder of files that saving writes anew; loading returns its path.

    The files are written to a temporary folder, which replaces the old one when it is complete.

    Args:
        path: The folder, relative to the project.
        metadata: Read by kedro-viz and by the MLflow hook.
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self.metadata = metadata

    @override
    def load(self) -> Path:
        if not self._path.is_dir():
            raise DatasetError(f"{self._path} does not exist: run `kedro run --pipelines count`")
        return self._path

    @override
    def save(self, data: Write) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        sweep(self._path)
        with new_folder(self._path) as new:
            data(new)
            replace_folder(self._path, new)

    @override
    def _exists(self) -> bool:
        return self._path.is_dir()

    @override
    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}

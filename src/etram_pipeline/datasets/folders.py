"""Working folders for the intermediate files of a node."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from typing_extensions import override


class FolderDataset(AbstractDataset[object, Path]):
    """Gives a working folder to a node; the folder is created if missing.

    Args:
        path: The folder, relative to the project.
        metadata: Read by kedro-viz.
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self.metadata = metadata

    @override
    def load(self) -> Path:
        self._path.mkdir(parents=True, exist_ok=True)
        return self._path

    @override
    def save(self, data: object) -> None:
        raise DatasetError(f"{self._path} is a working folder, not an output")

    @override
    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}

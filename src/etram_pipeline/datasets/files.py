"""Single files: checkpoints, pages and the base of other single-file datasets."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from kedro.io import AbstractDataset, DatasetError
from typing_extensions import override

from etram_pipeline.core.files import written_whole

Saved = TypeVar("Saved")
Loaded = TypeVar("Loaded")


class SingleFileDataset(AbstractDataset[Saved, Loaded]):
    """One file.

    Args:
        filepath: The file, relative to the project.
        metadata: Read by kedro-viz and by the MLflow hook.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    @override
    def _exists(self) -> bool:
        return self._filepath.is_file()

    @override
    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class FileDataset(AbstractDataset[Path, Path]):
    """Copies a file to its place; loading gives that place.

    Args:
        filepath: Where the file is kept, relative to the project.
        read_from: Another file to load instead, as `{filepath: …}`; it is never written, and a run
            that would make a file of its own is refused.
        made_by: Pipeline that makes it, for the message when it is missing.
        described_by: End of the names of files beside it that describe it: they are removed before
            it is replaced, so that none ever describes another one.
        metadata: Ignored by Kedro; read by kedro-viz and by the MLflow hook.

    Attributes:
        source: The file that loading gives.
    """

    def __init__(
        self,
        *,
        filepath: str,
        read_from: dict[str, str | None] | None = None,
        made_by: str = "",
        described_by: Sequence[str] = (),
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._filepath = Path(filepath)
        self.source = Path((read_from or {}).get("filepath") or filepath)
        self._made_by = made_by
        self._described_by = described_by
        self.metadata = metadata

    @property
    def reads_another(self) -> bool:
        """Whether loading gives another file than the one that saving writes."""
        return self.source != self._filepath

    @override
    def load(self) -> Path:
        if not self.source.is_file():
            remedy = f": run `kedro run --pipelines {self._made_by}`" if self._made_by else ""
            if self.reads_another:
                remedy = ": check the path"
            raise DatasetError(f"{self.source} does not exist{remedy}")
        return self.source

    @override
    def save(self, data: Path) -> None:
        with written_whole(self._filepath) as partial:
            shutil.copyfile(data, partial)
            for end in self._described_by:
                self._filepath.with_name(self._filepath.name + end).unlink(missing_ok=True)

    @override
    def _exists(self) -> bool:
        return self.source.is_file()

    @override
    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "read_from": str(self.source)}


def path_of(dataset: object) -> Path | None:
    """File or folder that a dataset saves to, if it is on a disk of this machine."""
    # Datasets have no public attribute for the path; `DataCatalog.to_config` is of whole catalogs.
    if getattr(dataset, "_protocol", "file") != "file":
        return None
    path = getattr(dataset, "_filepath", getattr(dataset, "_path", None))
    return None if path is None else Path(path)


def is_of_file(dataset: object) -> bool:
    """Whether a dataset is kept in a single file, not in a folder."""
    return hasattr(dataset, "_filepath")  # as in `path_of`

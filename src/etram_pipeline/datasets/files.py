"""Single files: checkpoints, pages and the base of other single-file datasets."""

import shutil
from abc import ABC, abstractmethod
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


class PageDataset(SingleFileDataset[str, str]):
    """A page of HTML; a run that fails while saving leaves the former page as it was.

    Args:
        filepath: The file, relative to the project.
        metadata: Read by kedro-viz and by the MLflow hook.
    """

    @override
    def load(self) -> str:
        if not self._filepath.is_file():
            raise DatasetError(f"{self._filepath} does not exist: run the pipeline that makes it")
        return self._filepath.read_text(encoding="utf-8")

    @override
    def save(self, data: str) -> None:
        with written_whole(self._filepath) as partial:
            partial.write_text(data, encoding="utf-8", newline="\n")


class ReadsAnother(ABC):
    """A dataset that may load another file or folder than the one that it saves to.

    Attributes:
        source: Path of what is loaded.
    """

    source: Path

    @property
    @abstractmethod
    def reads_another(self) -> bool:
        """Whether loading returns something else than what saving writes."""


class FileDataset(ReadsAnother, AbstractDataset[Path, Path]):
    """A file that saving copies into the catalog; loading returns its path.

    Args:
        filepath: Path of the copy, relative to the project.
        read_from: Another file to load instead, as `{filepath: …}`. It is never written, and a run
            that would save to this dataset is refused.
        made_by: Pipeline that makes the file, for the error message if it is missing.
        not_needed_with: Option of the run that makes the file unnecessary; if it is given, the path
            is also returned if there is no file.
        described_by: Suffixes of files next to it that describe it. They are removed before the
            file is replaced, so that a description never belongs to another file.
        metadata: Ignored by Kedro; read by kedro-viz and by the MLflow hook.
    """

    def __init__(
        self,
        *,
        filepath: str,
        read_from: dict[str, str | None] | None = None,
        made_by: str = "",
        not_needed_with: str | None = None,
        described_by: Sequence[str] = (),
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._filepath = Path(filepath)
        self.source = Path((read_from or {}).get("filepath") or filepath)
        self._made_by = made_by
        self._is_needed = not_needed_with is None
        self._described_by = described_by
        self.metadata = metadata

    @property
    @override
    def reads_another(self) -> bool:
        return self.source != self._filepath

    @override
    def load(self) -> Path:
        if self._is_needed and not self.source.is_file():
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
    """File or folder that a dataset saves to; None if it is not in the local file system."""
    # Datasets have no public attribute for the path; `DataCatalog.to_config` needs a whole catalog.
    if getattr(dataset, "_protocol", "file") != "file":
        return None
    path = getattr(dataset, "_filepath", getattr(dataset, "_path", None))
    return None if path is None else Path(path)


def is_of_file(dataset: object) -> bool:
    """Whether a dataset is a single file rather than a folder."""
    return hasattr(dataset, "_filepath")  # as in `path_of`

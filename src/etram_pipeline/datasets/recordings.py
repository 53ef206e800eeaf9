"""Folders of recordings and of their labels, as they come from a camera or an archive."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import TablePreview
from typing_extensions import override

from etram_pipeline.core.dataset import SPLITS

LABEL_SUFFIX = "_bbox.npy"
RECORDING_SUFFIXES = (".h5", ".hdf5", ".raw", ".dat", ".aedat4")


class _FolderDataset(AbstractDataset[object, dict[str, Path]]):
    """Files of a folder `<path>/<split>/…`, by `<split>/<recording>`."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self.metadata = metadata

    @override
    def save(self, data: object) -> None:
        raise DatasetError(f"{self._path} holds raw data, which is never written")

    @override
    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}

    @override
    def _exists(self) -> bool:
        return self._path.exists()

    def preview(self, nrows: int = 10) -> TablePreview:
        """First files and their sizes, for kedro-viz."""
        files = list(self.load().items()) if self._exists() else []
        rows = [
            [key, path.name, round(path.stat().st_size / 1e6, 1)] for key, path in files[:nrows]
        ]
        columns = ["recording", "file", "MB"]
        return TablePreview({"columns": columns, "index": list(range(len(rows))), "data": rows})


class RecordingsDataset(_FolderDataset):
    """Event files by `<split>/<recording>`, from a folder in eTraM's layout or one single file.

    Files lie in `<path>/train`, `<path>/val` and `<path>/test`, at any depth below; the name of a
    recording is the file's, without suffix and without `_td`. A single file counts as `test`.
    """

    @override
    def load(self) -> dict[str, Path]:
        if self._path.is_file():
            return {f"test/{recording_name(self._path)}": self._path}
        if not self._path.exists():
            raise DatasetError(
                f"{self._path} does not exist: relative paths start at the project folder"
            )
        found = _by_key(self._path, RECORDING_SUFFIXES)
        if not found:
            raise DatasetError(
                f"no recordings in {self._path}: put event files ({', '.join(RECORDING_SUFFIXES)}) "
                f"into {', '.join(f'{self._path}/{split}' for split in SPLITS)}, "
                "or set the path of `recordings` in the catalog of your environment"
            )
        return found


class LabelFilesDataset(_FolderDataset):
    """Label files `<recording>_bbox.npy` by `<split>/<recording>`; empty where there are none."""

    @override
    def load(self) -> dict[str, Path]:
        if self._path.is_file():
            beside = self._path.with_name(recording_name(self._path) + LABEL_SUFFIX)
            return {f"test/{recording_name(self._path)}": beside} if beside.exists() else {}
        if not self._path.exists():
            raise DatasetError(f"{self._path}, the folder of label files, does not exist")
        return _by_key(self._path, (LABEL_SUFFIX,))


def recording_name(path: Path) -> str:
    """Name of a recording: the file's, without `_td.h5`, `_td.dat.h5`, `_bbox.npy` and the like."""
    if path.name.endswith(LABEL_SUFFIX):
        return path.name.removesuffix(LABEL_SUFFIX)
    return path.name.split(".")[0].removesuffix("_td")


def _by_key(root: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for split in SPLITS:
        for path in sorted((root / split).rglob("*")):
            if not path.name.endswith(suffixes) or path.name.startswith(".") or path.is_dir():
                continue
            key = f"{split}/{recording_name(path)}"
            if key in found:
                raise DatasetError(
                    f"{found[key]} and {path} would both be recording {key}: rename one of them"
                )
            found[key] = path
    return found

"""Folders of recordings and of their labels, as they come from a camera or an archive."""

import os
import unicodedata
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import TablePreview
from typing_extensions import override

from etram_pipeline.core.dataset import SPLITS

LABEL_SUFFIX = "_bbox.npy"
RECORDING_SUFFIXES = (".h5", ".hdf5", ".raw", ".dat", ".aedat4")

_UNWRITABLE = {"Cc", "Cs", "Zl", "Zp"}
"""Categories of Unicode: control characters, surrogates, separators of lines and paragraphs."""


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
            return {_key("test", self._path): self._path}
        if not self._path.exists():
            raise DatasetError(
                f"{self._path} does not exist: relative paths start at the working directory on "
                "the command line, and at the project folder in files of the configuration"
            )
        found = _by_key(self._path, RECORDING_SUFFIXES)
        if not found:
            loose = sorted(path.name for path in self._path.iterdir() if _is_recording(path))
            beside = f"; {loose[0]} and the like lie outside these folders" if loose else ""
            raise DatasetError(
                f"no recordings in {self._path}: put event files ({', '.join(RECORDING_SUFFIXES)}) "
                f"into {', '.join(f'{self._path}/{split}' for split in SPLITS)}{beside}. Or name "
                "another path: in the environment `recording` by `--params recording=…`, in others "
                "as path of `recordings` in the catalog"
            )
        return found


class LabelFilesDataset(_FolderDataset):
    """Label files `<recording>_bbox.npy` by `<split>/<recording>`; empty where there are none."""

    @override
    def load(self) -> dict[str, Path]:
        if self._path.is_file():
            beside = self._path.with_name(recording_name(self._path) + LABEL_SUFFIX)
            return {_key("test", self._path): beside} if beside.exists() else {}
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
        for path in _files_below(root / split):
            if not path.name.endswith(suffixes) or path.name.startswith("."):
                continue
            key = _key(split, path)
            if key in found:
                raise DatasetError(
                    f"{found[key]} and {path} would both be recording {key}: rename one of them"
                )
            found[key] = path
    return found


def _files_below(folder: Path) -> list[Path]:
    """Files at any depth, in order; none if there is no such folder.

    Raises:
        DatasetError: If a folder cannot be read, for its recordings would be missing unnoticed.
    """

    def refuse(error: OSError) -> NoReturn:
        raise DatasetError(
            f"the folder {error.filename} cannot be read ({error.strerror}): make it readable, or "
            "move it elsewhere"
        ) from error

    if not folder.is_dir():
        return []
    walk = os.walk(folder, onerror=refuse)
    return sorted(Path(parent, name) for parent, _, names in walk for name in names)


def _is_recording(path: Path) -> bool:
    return path.name.endswith(RECORDING_SUFFIXES) and path.is_file()


def _key(split: str, path: Path) -> str:
    """Key of a recording, whose name goes into lists with a line for each and into JSON."""
    name = recording_name(path)
    if not name or any(unicodedata.category(each) in _UNWRITABLE for each in name):
        raise DatasetError(
            f"{str(path)!a} cannot be the name of a recording, for it is empty or holds line "
            "breaks, control characters, or bytes that are no UTF-8: rename the file"
        )
    return f"{split}/{name}"

"""Folders of raw recordings and of their label files."""

import logging
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from typing_extensions import override

from etram_pipeline.core.dataset import SPLITS
from etram_pipeline.core.recording_key import RecordingKey
from etram_pipeline.datasets.previews import TablePreview
from etram_pipeline.events.formats.content import may_hold_events
from etram_pipeline.events.formats.foreign import NUM_BYTES, describe_foreign

logger = logging.getLogger(__name__)

RELATIVE_PATHS = (
    "relative paths start at the working directory on the command line, and at the project folder "
    "in files of the configuration"
)
LABEL_SUFFIX = "_bbox.npy"
_GENERAL_SUFFIXES = (".hdf", ".npy", ".npz", ".csv", ".txt")
"""Suffixes that other files share; the content shows whether a file is a recording."""
RECORDING_SUFFIXES = (".h5", ".hdf5", ".raw", ".dat", ".aedat4", *_GENERAL_SUFFIXES)
_TABLES = (".parquet", ".feather", ".arrow", ".pkl", ".pickle")
_PACKED = (".zip", ".gz", ".tgz", ".zst", ".lz4", ".xz", ".bz2", ".tar", ".7z", ".rar")
_FOREIGN_SUFFIXES = (".bag", ".mcap", ".db3", ".aedat", ".es", ".mat", *_TABLES, *_PACKED)
"""Suffixes of recordings that must be converted or unpacked first."""

_ENDINGS = re.compile(
    rf"(_bbox\.npy|(_td(\.dat)?)?({'|'.join(map(re.escape, RECORDING_SUFFIXES))}))\Z",
    re.IGNORECASE | re.ASCII,
)
_MOST_NAME_BYTES = 200
"""Stored files add a suffix to the recording's name; file systems allow 255 bytes in total."""
_NUM_SHOWN = 5
_UNWRITABLE = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories: control characters, surrogates, line and paragraph separators."""


class RawFolderDataset(AbstractDataset[object, dict[str, Path]]):
    """Files in the folders `<path>/<split>`, by `<split>/<recording>`."""

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


class RecordingsDataset(RawFolderDataset):
    """Event files by `<split>/<recording>`, from a folder in eTraM's layout or from a single file.

    Files are searched in `<path>/train`, `<path>/val` and `<path>/test`, at any depth, and symbolic
    links are followed. The name of a recording is the file name without suffix and without `_td`.
    Arrays and text files are included if they hold events. A single file belongs to `test`.
    """

    @override
    def load(self) -> dict[str, Path]:
        if self._path.is_file():
            return {_key("test", self._path): self._path}
        if not self._path.exists():
            raise DatasetError(f"{self._path} does not exist: {RELATIVE_PATHS}")
        if not self._path.is_dir():
            raise DatasetError(f"{self._path} is neither a file nor a folder, so it cannot be read")
        found = _by_key(self._path, _recordings_among)
        if not found:
            files = [path for path in sorted(self._path.iterdir()) if path.is_file()]
            loose = [path.name for path in _recordings_among(files)]
            outside = f"; {loose[0]} is outside these folders" if loose else ""
            raise DatasetError(
                f"no recordings in {self._path}: put event files ({', '.join(RECORDING_SUFFIXES)}) "
                f"into {', '.join(f'{self._path}/{split}' for split in SPLITS)}{outside}. Or name "
                "another folder by `--params recording=…` in the environment of a data set, or as "
                "path of `recordings` in the catalog"
            )
        return found


class LabelFilesDataset(RawFolderDataset):
    """Label files `<recording>_bbox.npy` by `<split>/<recording>`; empty if there are none."""

    @override
    def load(self) -> dict[str, Path]:
        if self._path.is_file():
            beside = self._path.with_name(recording_name(self._path) + LABEL_SUFFIX)
            return {_key("test", self._path): beside} if beside.exists() else {}
        if not self._path.exists():
            raise DatasetError(f"{self._path}, the folder of label files, does not exist")
        if not self._path.is_dir():
            return {}
        return _by_key(self._path, lambda paths: filter(_is_label_file, paths))


def recording_name(path: Path) -> str:
    """Name of a recording: the file name without `_td.h5`, `_td.dat.h5`, `_bbox.npy` or similar.

    Dots before the suffix belong to the name.
    """
    return _ENDINGS.sub("", path.name)


def _by_key(root: Path, chosen: Callable[[list[Path]], Iterable[Path]]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for split in SPLITS:
        for path in chosen(_files_below(root / split)):
            key = _key(split, path)
            if key not in found:
                found[key] = path
            elif not found[key].samefile(path):
                raise DatasetError(
                    f"{found[key]} and {path} would both be recording {key}: rename one of them"
                )
    return found


def _files_below(folder: Path) -> list[Path]:
    """Sorted files at any depth, without hidden ones; empty if the folder does not exist.

    Links to folders are followed. A folder that is reached by several links, or that contains
    itself, is searched once.

    Raises:
        DatasetError: If a folder cannot be read or a link is broken, because recordings would be
            missing unnoticed.
    """

    def refuse(error: OSError) -> NoReturn:
        raise DatasetError(
            f"the folder {error.filename} cannot be read ({error.strerror}): make it readable, or "
            "move it elsewhere"
        ) from error

    _check_link(folder)
    if not folder.is_dir():
        return []
    files: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        files += [Path(parent, name) for name in names if not name.startswith(".")]
    for path in files:
        _check_link(path)
    return sorted(path for path in files if path.is_file())  # reading a pipe would block


def _check_link(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        raise DatasetError(
            f"the link {path} leads to {path.readlink()}, which does not exist: mount the disk it "
            "is on, correct the link, or remove it"
        )


def _recordings_among(paths: list[Path]) -> Iterator[Path]:
    """Recordings, recognised by suffix, and by content where other files share the suffix."""
    others: list[Path] = []
    for path in paths:
        if path.name.lower().endswith(_FOREIGN_SUFFIXES):
            _warn_of_foreign(path)
        if not _has_suffix(path) or _is_label_file(path):
            continue
        if path.name.lower().endswith(_GENERAL_SUFFIXES) and not may_hold_events(path):
            others.append(path)
            continue
        yield path
    if others:
        shown = ", ".join(str(path) for path in others[:_NUM_SHOWN])
        more = " …" if len(others) > _NUM_SHOWN else ""
        logger.info("%d files hold no events and were skipped: %s%s", len(others), shown, more)


def _warn_of_foreign(path: Path) -> None:
    with path.open("rb") as file:
        foreign = describe_foreign(file.read(NUM_BYTES))
    if foreign is not None:
        logger.warning("%s was skipped: this is %s; %s", path, *foreign)


def _has_suffix(path: Path) -> bool:
    return path.name.lower().endswith(RECORDING_SUFFIXES)


def _is_label_file(path: Path) -> bool:
    return path.name.lower().endswith(LABEL_SUFFIX)


def _key(split: str, path: Path) -> str:
    """Key of a recording; its name must fit into line-based lists, JSON and file names."""
    name = recording_name(path)
    if name in {"", ".", ".."} or any(unicodedata.category(each) in _UNWRITABLE for each in name):
        raise DatasetError(
            f"{str(path)!a} is no valid name of a recording: it is empty, consists of dots, or "
            "contains line breaks, control characters or invalid UTF-8; rename the file"
        )
    if len(name.encode()) > _MOST_NAME_BYTES:
        raise DatasetError(
            f"{path} has a name of {len(name.encode())} bytes, but the name of a recording may "
            f"have at most {_MOST_NAME_BYTES}: rename the file"
        )
    return str(RecordingKey(split, name))

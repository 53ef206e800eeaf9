"""Reading what is stored of recordings: representations and labelled frames.

Stores made by RVT are read as well; they have no index, and do not say how they were made.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Int64, Integer
from typing_extensions import override

from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.fingerprint import file_digest, file_identity, fingerprint
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.stores.images import read_images
from etram_pipeline.stores.layout import (
    FRAME_WINDOWS_FILE,
    IMAGES_FILES,
    LABELS,
    LABELS_FILE,
    REPRESENTATIONS,
    TIMES_FILE,
    IndexEntry,
    Product,
    Summary,
    read_index,
    read_record,
    recording_files,
    recording_folders,
)
from etram_pipeline.stores.reader import (
    is_ascending,
    read_indices,
    read_labelled_frames,
    read_shape,
)

Stored = TypeVar("Stored")


@dataclass(frozen=True)
class StoredRepresentations:
    """Representations of one recording: a picklable handle that opens its file while reading.

    Attributes:
        key: Recording, as `<split>/<name>`.
        path: HDF5 file of the images.
        num_windows: Windows in the recording.
        channels: Channels of each representation.
        height: Rows of each representation.
        width: Columns of each representation.
        dtype: Type of its values, `uint8` or `int8`.
        downsampled_by: Sensor pixels per pixel of a representation along each axis, 1 or 2.
        stop_us: End of each window, in microseconds; ascending.
        frame_windows: Window that ends at each labelled frame.
        settings: `windows` and `representation` as plain data; None where they are not known.
        summary: What came of the recording; None where that is not known.
    """

    key: str
    path: Path
    num_windows: int
    channels: int
    height: int
    width: int
    dtype: str
    downsampled_by: int
    stop_us: Int64[np.ndarray, " W"]
    frame_windows: Int64[np.ndarray, " F"]
    settings: dict[str, Any] | None
    summary: Summary | None

    def read(self, start: int, stop: int) -> Integer[np.ndarray, "T C H W"]:
        """Representations of the windows from `start` to before `stop`.

        Raises:
            IndexError: If there are no such windows.
            StoreError: If the file is damaged.
        """
        if not 0 <= start <= stop <= self.num_windows:
            raise IndexError(
                f"windows {start} to {stop} were asked for, but {self.key} has {self.num_windows}"
            )
        images = np.empty((stop - start, self.channels, self.height, self.width), self.dtype)
        read_images(self.path, start, images)
        return images


class Store(Mapping[str, Stored]):
    """Recordings under a root folder by key: those of the last build, or else all there are."""

    def __init__(self, root: Path, product: Product) -> None:
        self._root = root
        self._index = read_index(root, product)
        if self._index is not None and not self._index.complete:
            raise StoreError(
                f"making {root} was interrupted: run `preprocess` again, which keeps what is done"
            )
        self._files = self._indexed() if self._index else self._scanned()
        if not self._files and self._index is None:
            raise StoreError(f"no {product} of any recording in {root}: run `preprocess` first")

    @property
    def root(self) -> Path:
        """Folder the recordings lie under."""
        return self._root

    @property
    def skipped(self) -> dict[str, str]:
        """Recordings that the last build found nothing to store of, and why."""
        skipped = self._index.skipped if self._index else {}
        return {key: skip.reason for key, skip in skipped.items()}

    @property
    def failed(self) -> dict[str, str]:
        """Recordings that the last build could not compute, and why."""
        return dict(self._index.failed) if self._index else {}

    @property
    def summaries(self) -> dict[str, Summary]:
        """Numbers about each recording; empty for a store that was not made here."""
        return {key: entry.summary for key, entry in self._entries.items()}

    @property
    def made_with(self) -> dict[str, Any]:
        """Parameters of the last build, as plain data; empty where they are not known."""
        entries = self._index.recordings.values() if self._index else ()
        origins = (entry.origin for entry in entries)
        return next((origin.parameters for origin in origins if origin is not None), {})

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    @override
    def __len__(self) -> int:
        return len(self._files)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._root}, {counted(len(self), 'recording')})"

    def __fingerprint__(self) -> object:
        return self.content(self) or self.identity(self)

    def identity(self, keys: Iterable[str]) -> dict[str, object]:
        """What identifies the stored data of some recordings, whatever becomes of the others.

        Dates of the inputs and how images are compressed change it, too.
        """
        entries = self._entries
        return {
            key: entries[key].fingerprint if key in entries else file_identity(self._files[key])
            for key in keys
        }

    def content(self, keys: Iterable[str]) -> dict[str, str] | None:
        """Hashes that change with what is stored of some recordings, and with nothing else.

        None if one is not known: of a store made elsewhere, or before inputs were hashed.
        """
        contents = {key: self._content(key) for key in keys}
        return contents if all(contents.values()) else None

    @property
    def _entries(self) -> dict[str, IndexEntry]:
        return self._index.recordings if self._index else {}

    def _content(self, key: str) -> str:  # noqa: ARG002  # stores that know it need the key
        """Hash of what is stored of a recording; empty if not known."""
        return ""

    def _indexed(self) -> dict[str, Path]:
        return {key: self._root / entry.file for key, entry in self._entries.items()}

    @abstractmethod
    def _scanned(self) -> dict[str, Path]:
        """File of each recording in a store without an index."""


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
        return recording_files(self._root, f"{LABELS}/{LABELS_FILE}")


class RepresentationStore(Store[StoredRepresentations]):
    """Representations of recordings, as handles that read when asked to.

    Attributes:
        representation_name: Folder of the representation, `stacked_histogram_dt=50_nbins=10`.
    """

    def __init__(self, root: Path, representation_name: str | None = None) -> None:
        """Find the recordings under `root`.

        Args:
            root: Folder of the store.
            representation_name: Representation wanted; None takes the one that is there.

        Raises:
            StoreError: If there are none, if making them was interrupted, or if there are others
                than the one wanted.
        """
        self._wanted = representation_name
        super().__init__(root, REPRESENTATIONS)
        names = {path.parent.name for path in self._files.values()}
        self._check_names(names)
        self.representation_name = next(iter(names), self._wanted or "")

    @override
    def __getitem__(self, key: str) -> StoredRepresentations:
        return _open_frames(key, self._files[key])

    @override
    def _content(self, key: str) -> str:
        origin = self._entries[key].origin if key in self._entries else None
        digests = [file.digest for file in origin.inputs] if origin else []
        if origin is None or not all(digests):
            return ""
        # How images are compressed is no part of what they show.
        seen = {name: value for name, value in origin.parameters.items() if name != "storage"}
        return fingerprint([origin.recipe, seen, digests])

    @override
    def _scanned(self) -> dict[str, Path]:
        pattern = escape(self._wanted) if self._wanted else "*"
        found = [
            (key, path)
            for key, folder in recording_folders(self._root).items()
            for name in IMAGES_FILES.values()
            for path in (folder / REPRESENTATIONS).glob(f"{pattern}/{name}")
        ]
        self._check_names({path.parent.name for _, path in found})
        # Half the resolution comes last and so wins, being what detectors are trained on.
        return dict(found)

    def _check_names(self, names: set[str]) -> None:
        if len(names) > 1 or (self._wanted and names - {self._wanted}):
            raise StoreError(
                f"{self._root} holds {sorted(names)}, but {self._wanted or 'only one of them'} is "
                "wanted: run `preprocess` again, or change `representation` or `windows`"
            )


def _open_frames(key: str, path: Path) -> StoredRepresentations:
    shape, dtype = read_shape(path)
    stop_us = read_indices(path.with_name(TIMES_FILE))
    frame_windows = read_indices(path.with_name(FRAME_WINDOWS_FILE))
    if len(stop_us) != shape[0]:
        raise StoreError(
            f"{path} holds {shape[0]} windows, but {len(stop_us)} times lie beside it; "
            "run `preprocess` again"
        )
    is_inside = np.all((frame_windows >= 0) & (frame_windows < shape[0]))
    if not (is_ascending(stop_us) and is_ascending(frame_windows) and is_inside):
        raise StoreError(
            f"the windows and labelled frames beside {path} are not in order, or lie outside it; "
            "run `preprocess` again"
        )
    record = read_record(path)
    return StoredRepresentations(
        key=key,
        path=path,
        num_windows=shape[0],
        channels=shape[1],
        height=shape[2],
        width=shape[3],
        dtype=dtype,
        downsampled_by=next(by for by, name in IMAGES_FILES.items() if name == path.name),
        stop_us=stop_us,
        frame_windows=frame_windows,
        settings=record.settings if record else None,
        summary=record.summary if record else None,
    )

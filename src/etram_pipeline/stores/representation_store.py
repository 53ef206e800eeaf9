"""Representations of many recordings."""

from dataclasses import dataclass
from glob import escape
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Integer
from pydantic import ValidationError
from typing_extensions import override

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.core.validation_errors import describe_errors
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.stores.images import read_images
from etram_pipeline.stores.layout import (
    FRAME_WINDOWS_FILE,
    IMAGES_FILES,
    REPRESENTATIONS,
    TIMES_FILE,
    recording_folders,
)
from etram_pipeline.stores.reader import is_ascending, read_indices, read_shape
from etram_pipeline.stores.record import Record, Summary, read_record
from etram_pipeline.stores.store import Store


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
        encoding: Settings that the representations were made with; None for a store made elsewhere.
        summary: Counts of the recording; None for a store made elsewhere.
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
    encoding: EncodingSettings | None
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

    def drawn(self, frame: Integer[np.ndarray, "C H W"]) -> Integer[np.ndarray, "_ H W"]:
        """What pictures show of a representation that was read."""
        return frame if self.encoding is None else self.encoding.representation.drawn(frame)


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
        return _open_representations(key, self._files[key])

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


def _open_representations(key: str, path: Path) -> StoredRepresentations:
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
        encoding=_read_encoding(path, record) if record else None,
        summary=record.summary if record else None,
    )


def _read_encoding(path: Path, record: Record) -> EncodingSettings:
    try:
        return EncodingSettings.model_validate(record.settings)
    except ValidationError as error:
        raise StoreError(
            f"{path} was made with settings that this version does not have: "
            f"{'; '.join(describe_errors(error))}; run `preprocess` again"
        ) from error

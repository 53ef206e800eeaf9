"""HDF5 recordings with one dataset whose rows are events, such as those of v2e."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import h5py
import hdf5plugin  # noqa: F401  registers the filters that recordings are compressed with
import numpy as np
from typing_extensions import override

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.counter import TimeColumn
from etram_pipeline.events.formats.fields import NAMES
from etram_pipeline.events.formats.hdf5_layout import HDF5_ERRORS, check_stored
from etram_pipeline.events.formats.hdf5_places import (
    Place,
    find_events,
    read_offset,
    read_size,
)
from etram_pipeline.events.formats.sensor_size import size_or_etram
from etram_pipeline.events.formats.table import Rows, TableRecording

_LARGEST_CHUNK_BYTES = 2**28
_LEAST_CACHE_BYTES = 2**20
_REMEDY = "fetch or write the file again"


class RowsRecording(TableRecording):
    """An HDF5 file with events as rows: of named fields, or of the four numbers t, x, y and p.

    Source of the latter: SensorsINI/v2e, v2ecore/output/ae_hdf5_output.py.
    """

    stored_name: ClassVar[str] = "RowsRecording"

    def __init__(self, path: Path, size: tuple[int, int] | None) -> None:
        super().__init__(path)
        with _open(path) as place:
            dataset = place.entry
            self._cache_bytes = max(_LEAST_CACHE_BYTES, 2 * _bytes_of_chunks_abreast(dataset))
            name = dataset.name.lstrip("/")
            dtype = dataset.dtype if dataset.dtype.names is None else _field(place, "t")
            unit, offset_us = place.fields.unit or "us", read_offset(path, place)
            times = TimeColumn(path, f"t of {name}", dtype, unit, offset_us)
            size = size_or_etram(path, read_size(path, place), size)
            has_names = dataset.dtype.names is not None
            self._describe(len(dataset), times, size, has_names=has_names)

    @override
    def _rows(self, spans: Iterator[tuple[int, int]]) -> Iterator[Rows]:
        with _open(self.path, self._cache_bytes) as place:
            for first, last in spans:
                yield _read(place, first, last)


def _read(place: Place, first: int, last: int) -> Rows:
    if place.entry.dtype.names is None:
        table = place.entry[first:last]
        return {name: table[:, column] for column, name in enumerate(NAMES)}
    names = place.fields.names
    table = place.entry.fields(list(names.values()))[first:last]
    return {name: table[field] for name, field in names.items()}


@contextmanager
def _open(path: Path, cache_bytes: int = _LEAST_CACHE_BYTES) -> Iterator[Place]:
    """The checked dataset of an open file; errors of HDF5 become errors that name the file."""
    try:
        with h5py.File(path, "r", rdcc_nbytes=cache_bytes) as file:
            place = find_events(path, file)
            _check(path, file, place)
            yield place
    except RecordingError:
        raise
    except HDF5_ERRORS as error:
        raise RecordingError(f"{path}: the events cannot be read ({error}); {_REMEDY}") from error


def _check(path: Path, file: h5py.File, place: Place) -> None:
    dataset = place.entry
    if not isinstance(dataset, h5py.Dataset):
        raise RecordingError(f"{path}: has changed since it was opened; open it again")
    where = f"{path}: {dataset.name.lstrip('/')}"
    if dataset.dtype.names is not None and dataset.ndim != 1:
        raise RecordingError(f"{where} is not a one-dimensional dataset")
    kinds = (
        [("p", dataset.dtype)]
        if dataset.dtype.names is None
        else [(name, _field(place, name)) for name in NAMES]
    )
    for name, dtype in kinds:
        if dtype.kind not in ("iub" if name == "p" else "iu") or dtype.shape:
            raise RecordingError(
                f"{where} holds {dataset.dtype}, but must hold integers; write the recording "
                "again, times in whole microseconds"
            )
    check_stored(dataset, file, where)
    if dataset.chunks is None and dataset.id.get_storage_size() < dataset.nbytes:
        raise RecordingError(
            f"{where} should have {dataset.nbytes} bytes, but only {dataset.id.get_storage_size()} "
            f"are stored; {_REMEDY}"
        )
    chunk_bytes = _bytes_of_chunks_abreast(dataset)
    if chunk_bytes > _LARGEST_CHUNK_BYTES:
        raise RecordingError(
            f"{where} has chunks of {chunk_bytes} bytes, but at most {_LARGEST_CHUNK_BYTES} can be "
            "read at once; write smaller chunks"
        )


def _field(place: Place, name: str) -> np.dtype[np.generic]:
    dtype: np.dtype[np.generic] = place.entry.dtype[place.fields.names[name]]
    return dtype


def _bytes_of_chunks_abreast(dataset: h5py.Dataset) -> int:
    """Total bytes of the chunks that hold the same rows."""
    if dataset.chunks is None:
        return 0
    rest = zip(dataset.shape[1:], dataset.chunks[1:], strict=True)
    num_abreast = math.prod(-(-length // chunk) for length, chunk in rest)
    return int(math.prod(dataset.chunks) * num_abreast * dataset.dtype.itemsize)

"""Recordings in NumPy's formats: an array of events in `.npy`, or arrays in `.npz`."""

import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.counter import TimeColumn
from etram_pipeline.events.formats.fields import NAMES, find_unit, match_fields
from etram_pipeline.events.formats.sensor_size import known_size, stated_size
from etram_pipeline.events.formats.table import Rows, TableRecording

_READABLE_ZIP = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MOST_MEMBERS = 1000
_MOST_INFLATION = 1032
"""Largest ratio of decompressed to compressed bytes. Source: zlib.net/zlib_tech.html."""
_SCALARS = ("height", "width", "unit")
_IN_ORDER = {name: (index, None) for index, name in enumerate(NAMES)}
_LARGEST_ROW_BYTES = 2**12
_REMEDY = "fetch or write the file again"


Content = IO[bytes] | zipfile.ZipExtFile
"""A file or a member of an archive, open for reading."""


class _Array(NamedTuple):
    """An array in a file.

    Attributes:
        member: Its name in an archive; None if it is the whole file.
        dtype: Type of its values.
        shape: Its shape.
        is_transposed: Whether the values are in Fortran order, column by column.
        start: Byte of the file or member at which the values begin.
    """

    member: str | None
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_transposed: bool
    start: int


class _Stream(NamedTuple):
    """Contiguous values in a file or in a member of an archive."""

    member: str | None
    start: int
    dtype: np.dtype[Any]


class ArrayLayout(NamedTuple):
    """Location of the event columns.

    Attributes:
        num_events: Length of the columns.
        streams: Streams that are read in parallel.
        columns: Stream of each column, and its field there; None if the stream has no fields.
        unit: Unit stated in the name of the times; None if it states none.
        has_names: Whether the columns have names.
    """

    num_events: int
    streams: tuple[_Stream, ...]
    columns: Mapping[str, tuple[int, str | None]]
    unit: str | None
    has_names: bool = True

    def dtype_of(self, name: str) -> np.dtype[Any]:
        """Type of a column."""
        stream, field = self.columns[name]
        dtype = self.streams[stream].dtype
        return dtype if field is None else dtype[field]


class NumpyRecording(TableRecording):
    """Events in a structured array, in an array of N rows t, x, y, p, or in four arrays.

    Only the requested rows are read; in a compressed archive, also all rows before them.
    """

    stored_name: ClassVar[str] = "NumpyRecording"

    def __init__(self, path: Path, size: tuple[int, int] | None) -> None:
        super().__init__(path)
        self._layout = _read_layout(path)
        said = _read_scalars(path)
        stated = stated_size(path, "the archive", said.get("height"), said.get("width"))
        size = known_size(path, stated, size)
        layout = self._layout
        unit = layout.unit or find_unit(str(said.get("unit"))) or "us"
        times = TimeColumn(path, "t", layout.dtype_of("t"), unit)
        self._describe(layout.num_events, times, size, has_names=layout.has_names)

    @override
    def _rows(self, spans: Iterator[tuple[int, int]]) -> Iterator[Rows]:
        layout = self._layout
        with _damage_named(self.path), ExitStack() as stack:
            files = [
                stack.enter_context(_open(self.path, stream.member)) for stream in layout.streams
            ]
            for first, last in spans:
                parts = []
                for file, stream in zip(files, layout.streams, strict=True):
                    file.seek(stream.start + first * stream.dtype.itemsize)
                    parts.append(_read(file, stream.dtype, last - first))
                yield {
                    name: parts[stream] if field is None else parts[stream][field]
                    for name, (stream, field) in layout.columns.items()
                }


def is_archive_of_arrays(path: Path) -> bool:
    """Whether a ZIP archive holds arrays, or is damaged, which its reader then reports."""
    try:
        return bool(_read_headers(path))
    except Exception:  # noqa: BLE001  damage makes what reads for NumPy raise anything
        return True


def find_layout(path: Path) -> ArrayLayout | None:
    """Location of the events in a file of NumPy; None if it holds none.

    Raises:
        RecordingError: If it is damaged.
    """
    with _damage_named(path):
        return _find_layout(_read_headers(path))


def _read_layout(path: Path) -> ArrayLayout:
    layout = find_layout(path)
    if layout is None:
        raise RecordingError(f"{path}: {_describe(_read_headers(path))}")
    for name in NAMES:
        dtype = layout.dtype_of(name)
        if dtype.kind not in ("iub" if name == "p" else "iu") or dtype.shape:
            raise RecordingError(
                f"{path}: the column of {name} holds {dtype}, but must hold integers; write "
                "the recording again, times in whole microseconds"
            )
    return layout


def _read_scalars(path: Path) -> dict[str, Any]:
    """Height, width and unit that are stored beside the events, by name."""
    said: dict[str, Any] = {}
    with _damage_named(path):
        for array in _read_headers(path):
            name, is_text_or_number = _name(array), array.dtype.kind in "iufU"
            if name in _SCALARS and is_text_or_number and math.prod(array.shape) == 1:
                with _open(path, array.member) as file:
                    file.seek(array.start)
                    said[name] = _read(file, array.dtype, 1)[0]
    return said


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except RecordingError:
        raise
    except Exception as error:  # NumPy and zipfile raise errors of any kind for damaged files
        reason = f"{type(error).__name__}: {error}"
        raise RecordingError(f"{path}: the NumPy file is damaged ({reason}); {_REMEDY}") from error


@contextmanager
def _open(path: Path, member: str | None) -> Iterator[Content]:
    if member is None:
        with path.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive, archive.open(member) as file:
        yield file


def _read(file: Content, dtype: np.dtype[Any], count: int) -> npt.NDArray[Any]:
    content = file.read(count * dtype.itemsize)
    if len(content) < count * dtype.itemsize:
        raise EOFError("it ends within the events")
    return np.frombuffer(content, dtype)


def _read_headers(path: Path) -> list[_Array]:
    num_file_bytes = path.stat().st_size
    with path.open("rb") as file:
        if file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX:
            file.seek(0)
            return [_read_header(file, None, num_file_bytes)]
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        if len(members) > _MOST_MEMBERS:
            return []
        arrays: list[_Array] = []
        for info in members:
            if info.compress_type not in _READABLE_ZIP or info.flag_bits & 1:
                raise ValueError(f"{info.filename} is neither stored nor deflated")
            if info.file_size > _MOST_INFLATION * min(info.compress_size, num_file_bytes):
                raise ValueError(f"{info.filename} has a stated size of {info.file_size} bytes")
            with archive.open(info) as file:
                arrays.append(_read_header(file, info.filename, info.file_size))
    return arrays


def _read_header(file: Content, member: str | None, num_bytes: int) -> _Array:
    """Header of an array; its values must fill the rest of the file or member."""
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(file)
    if version not in readers:
        raise ValueError(f"version {version} of the format is unknown")
    shape, is_transposed, dtype = readers[version](file)
    start = file.tell()
    if min(shape, default=0) < 0:
        raise ValueError(f"its stated type is {dtype} with shape {shape}")
    num_values_bytes = 0 if dtype.hasobject else math.prod(shape) * dtype.itemsize
    if start + num_values_bytes > num_bytes:
        name = "the file" if member is None else member
        raise ValueError(
            f"{name} should hold an array of {num_values_bytes} bytes, but has {num_bytes - start}"
        )
    return _Array(member, dtype, shape, is_transposed and len(shape) > 1, start)


def _find_layout(arrays: list[_Array]) -> ArrayLayout | None:
    """The events among some arrays; None if there are none, or several candidates."""
    tables = [layout for array in arrays if (layout := _table_layout(array)) is not None]
    by_name = {_name(array): array for array in arrays if len(array.shape) == 1}
    fields = match_fields(by_name)
    if fields is None:
        return tables[0] if len(tables) == 1 else None
    columns = [by_name[fields.names[name]] for name in NAMES]
    if len({array.shape for array in columns}) > 1 or any(each.dtype.names for each in columns):
        return None
    streams = tuple(_Stream(array.member, array.start, array.dtype) for array in columns)
    return ArrayLayout(columns[0].shape[0], streams, _IN_ORDER, fields.unit)


def _table_layout(array: _Array) -> ArrayLayout | None:
    """Events in one array; None if it holds none."""
    dtype = array.dtype
    if dtype.names is not None and not dtype.hasobject and dtype.itemsize <= _LARGEST_ROW_BYTES:
        fields = match_fields(dtype.names)
        if fields is None or len(array.shape) != 1 or {"w", "h"} <= set(dtype.names):
            return None
        stream = _Stream(array.member, array.start, dtype)
        places = {name: (0, fields.names[name]) for name in NAMES}
        return ArrayLayout(array.shape[0], (stream,), places, fields.unit)
    if len(array.shape) != 2 or array.shape[1] != len(NAMES) or dtype.kind not in "iuf":  # noqa: PLR2004  a table
        return None
    num_events = array.shape[0]
    if array.is_transposed:
        column_bytes = num_events * dtype.itemsize
        streams = tuple(
            _Stream(array.member, array.start + i * column_bytes, dtype) for i in range(len(NAMES))
        )
        return ArrayLayout(num_events, streams, _IN_ORDER, None, has_names=False)
    stream = _Stream(array.member, array.start, np.dtype([(name, dtype) for name in NAMES]))
    by_name = {name: (0, name) for name in NAMES}
    return ArrayLayout(num_events, (stream,), by_name, None, has_names=False)


def _name(array: _Array) -> str:
    return (array.member or "").removesuffix(".npy")


def _describe(arrays: list[_Array]) -> str:
    shown = ", ".join(f"{_name(each) or 'array'} {each.dtype} {each.shape}" for each in arrays[:8])
    wanted = (
        "a recording is a structured array with fields t, x, y, p, an array of N x 4 whole numbers "
        "t, x, y, p, or four arrays of one length with these names"
    )
    if any({"w", "h"} <= set(array.dtype.names or ()) for array in arrays):
        return f"these are labels ({shown}): give the recording that they belong to; {wanted}"
    return f"holds no events ({shown}); {wanted}"

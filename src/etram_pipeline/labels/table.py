"""The table of boxes that ground truth and detections share."""

import logging
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from etram_pipeline.core.errors import LabelError

logger = logging.getLogger(__name__)

LabelTable = npt.NDArray[Any]
"""Structured array of `LABEL_DTYPE`, or of any dtype with the same names: one row per box."""

LABEL_DTYPE = np.dtype(
    [
        ("t", "<i8"),
        ("x", "<f4"),
        ("y", "<f4"),
        ("w", "<f4"),
        ("h", "<f4"),
        ("class_id", "<u4"),
        ("track_id", "<u4"),
        ("class_confidence", "<f4"),
    ],
    align=True,
)
"""Time in microseconds, top-left corner and size in px, class, track, confidence; 40 bytes a row.

Source: Prophesee's box format; layout of the RVT reference, `BBOX_DTYPE`.
"""

_SYNONYMS = {"ts": "t", "confidence": "class_confidence"}
"""Names of columns in other tools, such as those of Prophesee's GEN1 and 1 Mpx datasets."""

_OPTIONAL = {"track_id": 0, "class_confidence": 1}
"""Columns that a table may lack, with the value of all their rows in this case."""

_WHOLE_NUMBERS = ("t", "class_id", "track_id")
_LARGEST = np.iinfo(np.int64).max


def as_label_table(table: object, where: str) -> LabelTable:
    """A table of boxes with every column of `LABEL_DTYPE`, from the layouts of other tools.

    Columns may have any order, width and byte order, and there may be further columns. `ts` is
    accepted for `t`, and `confidence` for `class_confidence`. Without `track_id`, all rows have
    track 0; without `class_confidence`, confidence 1. Axes of length one are dropped, so that one
    column of rows and a single row are tables as well. Any empty array is a table without boxes.

    Args:
        table: The array to convert; it is not changed.
        where: Source of the array, for errors.

    Returns:
        One row per box, with the types found, but whole numbers of at most `int64`; `table` itself
        if nothing has to be changed.

    Raises:
        LabelError: If it is not a table of boxes; names `where` and the column.
    """
    if isinstance(table, np.ndarray) and table.dtype.names is None and table.size == 0:
        return np.zeros(0, LABEL_DTYPE)
    if (
        not isinstance(table, np.ndarray)
        or table.dtype.names is None
        or max(table.shape, default=1) < table.size
    ):
        raise LabelError(
            f"{where} holds {_describe(table)}, but must hold a one-dimensional structured array "
            f"with the columns {list(LABEL_DTYPE.names or ())}"
        )
    renamed = _renamed(table.reshape(-1))
    names = renamed.dtype.names or ()
    missing = sorted(set(LABEL_DTYPE.names or ()) - set(names) - set(_OPTIONAL))
    if missing:
        raise LabelError(f"{where} has columns {table.dtype.names}, but lacks {missing}")
    _check_types(renamed, where)
    return _completed(_native(renamed, where))


def has_track_ids(labels: LabelTable) -> bool:
    """Whether labels say which boxes are the same road user, rather than giving all the same id."""
    times, ids = labels["t"], labels["track_id"]
    return len(np.unique(ids)) > 1 or len(np.unique(times)) == len(labels)


def column_names(table: LabelTable) -> tuple[str, ...]:
    """Our names for the columns of a table; our own name takes precedence."""
    found = table.dtype.names or ()
    renamed = [_SYNONYMS.get(name, name) for name in found]
    return tuple(old if new in found else new for old, new in zip(found, renamed, strict=True))


def read_labels(path: Path) -> LabelTable:
    """Boxes of a label file, in order of time, with the types of the file.

    The file may hold anything that `as_label_table` accepts. Boxes that are not in order of time
    are sorted, with a log message.

    Raises:
        LabelError: If the file is missing or damaged, or does not hold boxes.
    """
    return in_order_of_time(read_rows(path), str(path))


def read_rows(path: Path) -> LabelTable:
    """Boxes of a label file in the order of the file; see `read_labels`."""
    return as_label_table(load_array(path), str(path))


def in_order_of_time(table: LabelTable, where: str) -> LabelTable:
    """The boxes of a table in order of time; a log message says if they had another order."""
    times_us = table["t"].astype(np.int64)
    if np.any(np.diff(times_us) < 0):
        logger.warning("%s is not in order of time; its boxes are sorted", where)
        table = table[np.argsort(times_us, kind="stable")]
    return table


def box_column(labels: LabelTable, name: str) -> Float[np.ndarray, " N"]:
    """A column `x`, `y`, `w` or `h` for arithmetic: float32, or float64 if it is stored as such."""
    column = labels[name]
    return cast("npt.NDArray[np.float32]", column.astype(np.result_type(column, np.float32)))


def load_array(path: Path) -> object:
    """The array of a `.npy` file.

    Raises:
        LabelError: If the file is missing or damaged.
    """
    if not path.is_file():
        raise LabelError(f"there is no label file {path}")
    try:
        return np.load(path, allow_pickle=False)
    except Exception as error:  # NumPy raises errors of any kind for damaged files
        raise LabelError(
            f"{path} cannot be read as a NumPy array of boxes: {error}; "
            "it may be truncated, or not a .npy file"
        ) from error


def _describe(content: object) -> str:
    if isinstance(content, np.ndarray):
        return f"an array of shape {content.shape} and dtype {content.dtype}"
    if isinstance(content, np.lib.npyio.NpzFile):
        return "an archive of several arrays"
    hint = ", whose `to_records(index=False)` is one" if hasattr(content, "to_records") else ""
    return f"a {type(content).__name__}{hint}"


def _renamed(table: LabelTable) -> LabelTable:
    """The same rows with our names for the columns, with any padding kept."""
    found, names = table.dtype.names or (), column_names(table)
    if names == found:
        return table
    fields = [cast("Any", table.dtype.fields)[name] for name in found]
    layout = {
        "names": names,
        "formats": [field[0] for field in fields],
        "offsets": [field[1] for field in fields],
        "itemsize": table.dtype.itemsize,
    }
    dtype = np.dtype(cast("Any", layout))
    if not dtype.hasobject:
        return table.view(dtype)
    renamed = np.zeros(len(table), dtype)  # NumPy has no views of masks, which are objects
    for old, new in zip(found, names, strict=True):
        renamed[new] = table[old]
    return renamed


def _check_types(table: LabelTable, where: str) -> None:
    for name in (name for name in LABEL_DTYPE.names or () if name in (table.dtype.names or ())):
        wanted = "iu" if name in _WHOLE_NUMBERS else "iuf"
        found = table.dtype[name]
        if found.kind not in wanted or found.shape:
            whole = "whole numbers" if name in _WHOLE_NUMBERS else "numbers"
            remedy = "; give times in microseconds, rounded" if name == "t" else ""
            raise LabelError(
                f"{where} has {found} in column {name!r}, but must have {whole}{remedy}"
            )


def _native(table: LabelTable, where: str) -> LabelTable:
    """The table in this machine's byte order, with whole numbers of at most `int64`."""
    dtype = table.dtype.newbyteorder("=")
    wide = [name for name in column_names(table) if dtype[name] == np.uint64]
    for name in wide:
        if table[name].max(initial=0) > _LARGEST:
            raise LabelError(f"{where} has {table[name].max()} in column {name!r}: it is damaged")
    if wide:
        of_columns = [(name, dtype[name]) for name in column_names(table)]
        dtype = np.dtype([(name, np.int64 if name in wide else kind) for name, kind in of_columns])
    return table.astype(dtype, copy=False)


def _completed(table: LabelTable) -> LabelTable:
    """The table with default values for optional columns it lacks."""
    names = table.dtype.names or ()
    lacking = [name for name in _OPTIONAL if name not in names]
    if not lacking:
        return table
    of_columns = [(name, table.dtype[name]) for name in names]
    completed = np.zeros(len(table), of_columns + [(name, LABEL_DTYPE[name]) for name in lacking])
    for name in names:
        completed[name] = table[name]
    for name in lacking:
        completed[name] = _OPTIONAL[name]
    return completed

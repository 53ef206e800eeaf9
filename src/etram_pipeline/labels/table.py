"""The table of boxes that ground truth and detections share."""

import logging
from collections.abc import Iterable
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

_WHOLE_NUMBERS = ("t", "class_id", "track_id")


def missing_columns(names: Iterable[str]) -> list[str]:
    """Columns of a label table that are not among `names`."""
    return sorted(set(LABEL_DTYPE.names or ()) - set(names))


def check_columns(table: LabelTable, where: str) -> None:
    """Refuse what is not a table of boxes.

    Raises:
        LabelError: If a column is missing; names `where` and the column.
    """
    missing = missing_columns(table.dtype.names or ())
    if missing:
        raise LabelError(f"{where} has columns {table.dtype.names}, but lacks {missing}")


def read_labels(path: Path) -> LabelTable:
    """Boxes of a label file, in order of time, with the dtype they have in the file.

    Columns may be in any order; a column `ts` is taken for `t`. Boxes that are not in order of
    time are sorted, which the log says.

    Raises:
        LabelError: If the file is missing or damaged, or holds something else than boxes.
    """
    table = _load(path)
    names = table.dtype.names or ()
    if "ts" in names and "t" not in names:
        table.dtype.names = tuple("t" if name == "ts" else name for name in names)
    check_columns(table, str(path))
    _check_types(table, path)
    times_us = table["t"].astype(np.int64)
    if np.any(np.diff(times_us) < 0):
        logger.warning("%s is not in order of time: its boxes are sorted", path)
        table = table[np.argsort(times_us, kind="stable")]
    return table


def box_column(labels: LabelTable, name: str) -> Float[np.ndarray, " N"]:
    """A column of `x`, `y`, `w` or `h` for arithmetic: float32, unless it is stored finer."""
    column = labels[name]
    return cast("npt.NDArray[np.float32]", column.astype(np.result_type(column, np.float32)))


def _load(path: Path) -> LabelTable:
    if not path.is_file():
        raise LabelError(f"there is no label file {path}")
    try:
        table = np.load(path, allow_pickle=False)
    except Exception as error:  # damage makes NumPy, and what reads for it, raise anything
        raise LabelError(
            f"{path} cannot be read as a NumPy array of boxes: {error}; "
            "it may be truncated, or no .npy file"
        ) from error
    if not isinstance(table, np.ndarray) or table.dtype.names is None or table.ndim != 1:
        raise LabelError(
            f"{path} holds {_describe(table)}, but a one-dimensional structured array with the "
            f"columns {list(LABEL_DTYPE.names or ())} is wanted"
        )
    return table


def _describe(content: object) -> str:
    if isinstance(content, np.ndarray):
        return f"an array of shape {content.shape} and dtype {content.dtype}"
    return "an archive of several arrays"


def _check_types(table: LabelTable, path: Path) -> None:
    for name in LABEL_DTYPE.names or ():
        wanted = "iu" if name in _WHOLE_NUMBERS else "iuf"
        found = table.dtype[name]
        if found.kind not in wanted or found.shape:
            whole = "whole numbers" if name in _WHOLE_NUMBERS else "numbers"
            raise LabelError(f"{path} has {found} in column {name!r}, but {whole} are wanted")

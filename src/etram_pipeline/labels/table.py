"""The table of boxes that ground truth and detections share."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from etram_pipeline.core.errors import LabelError

LabelTable = npt.NDArray[np.void]
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

"""The column of masks that a table of boxes may have, and the file that holds it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from etram_pipeline.core.files import written_whole
from etram_pipeline.core.run_lengths import RunLengths

Table = npt.NDArray[Any]
"""Structured array with one row per box."""

MASK_COLUMN = "mask"
"""Name of the column; its values are `RunLengths`."""


def has_masks(table: Table) -> bool:
    """Whether a table of boxes has the column of masks."""
    names = table.dtype.names or ()
    return MASK_COLUMN in names and table.dtype[MASK_COLUMN] == np.dtype(object)


def masked_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """A type of rows with the column of masks in addition."""
    return np.dtype([*_columns(dtype), (MASK_COLUMN, object)])


def with_masks(table: Table, masks: Sequence[RunLengths]) -> Table:
    """A copy of a table with a mask for each row."""
    masked = _copied(table, masked_dtype(without_masks(table[:0]).dtype))
    for row, mask in enumerate(masks):
        masked[MASK_COLUMN][row] = mask
    return masked


def without_masks(table: Table) -> Table:
    """A table without the column of masks; `table` itself if it has none."""
    if not has_masks(table):
        return table
    return _copied(table, np.dtype(_columns(table.dtype)))


def write_masks(path: Path, masks: Sequence[RunLengths]) -> None:
    """Write masks as a JSON list, completely or not at all."""
    lines = ",\n".join(json.dumps(mask) for mask in masks)
    with written_whole(path) as partial:
        partial.write_text(f"[\n{lines}\n]\n" if lines else "[]\n")


def _columns(dtype: np.dtype[Any]) -> list[tuple[str, Any]]:
    return [(name, dtype[name]) for name in dtype.names or () if name != MASK_COLUMN]


def _copied(table: Table, dtype: np.dtype[Any]) -> Table:
    copied = np.zeros(len(table), dtype)
    for name in set(dtype.names or ()).intersection(table.dtype.names or ()):
        copied[name] = table[name]
    return copied

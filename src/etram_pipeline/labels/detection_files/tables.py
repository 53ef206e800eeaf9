"""Tables of detections, one file per recording: parquet, or NumPy as of Prophesee, RVT and eTraM.

The formats may be mixed in a folder. Other files are ignored. Each table has the columns of a label
file and at least one of `score`, `class_score` and `class_confidence`.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from etram_pipeline.core.counts import counted_of
from etram_pipeline.core.errors import LabelError
from etram_pipeline.labels.detection_files.known import FoundDetections, KnownRecordings
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.table import (
    LabelTable,
    as_label_table,
    column_names,
    in_order_of_time,
    load_array,
)

logger = logging.getLogger(__name__)

INDEX = "index.json"
"""File beside the tables with the names of the classes, which other programs may leave out."""

_NUMPY, _PARQUET = b"\x93NUMPY", b"PAR1"
_SCORES = ("score", "class_score", "class_confidence")
_COLUMNS = (*(DETECTION_DTYPE.names or ()), "ts", "confidence")


def find_tables(path: Path) -> list[Path]:
    """Files of tables: the file itself, or those in a folder at any depth; sorted."""
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    return [
        file for file in files if file.is_file() and not file.name.startswith(".") and _begins(file)
    ]


def read_tables(path: Path, files: list[Path], known: KnownRecordings) -> FoundDetections:
    """Detections of the recordings for which there is a file.

    Raises:
        LabelError: If no file is named like a recording, or a file is no table of detections.
    """
    root = path if path.is_dir() else path.parent
    file_of_key: dict[str, Path] = {}
    others = []
    for file in files:
        key = known.find(file.relative_to(root.parent))
        if key is None:
            others.append(str(file.relative_to(root)))
        elif key in file_of_key:
            raise LabelError(
                f"{file_of_key[key]} and {file} are both of the recording {key}: keep one of them"
            )
        else:
            file_of_key[key] = file
    if not file_of_key:
        raise LabelError(
            f"{path}: no table is named like a labelled recording; found {', '.join(others[:3])}, "
            f"but the recordings are {known.some()}: name each file <recording>.npy, "
            "<recording>_bbox.npy or <recording>.parquet, in a folder named for the split"
        )
    if others:
        logger.warning(
            "%s: %s (%s) belong to no labelled recording and are not read",
            path,
            counted_of(len(others), len(files), "table"),
            ", ".join(others[:3]),
        )
    tables = {key: _read(file) for key, file in sorted(file_of_key.items())}
    return FoundDetections(tables, _names(root))


def as_detection_table(table: object, where: str) -> DetectionTable:
    """A table with all columns of detections, in order of time, from one that has some of them.

    `objectness` is 1 if it is missing. The class score is `class_score`, or else
    `class_confidence`, or else `score`. The score is `score`, or else objectness times class score.

    Raises:
        LabelError: If it is no table of boxes, or has no scores.
    """
    if isinstance(table, np.ndarray) and table.dtype.names is None and table.size == 0:
        return np.zeros(0, DETECTION_DTYPE)
    boxes = as_label_table(table, where)
    found = column_names(table) if isinstance(table, np.ndarray) else ()
    scores = [name for name in _SCORES if name in found]
    if not scores:
        raise LabelError(
            f"{where} has the columns {', '.join(found)}, but no scores: add a column `score`"
        )
    _check_numbers(boxes, [*scores, *({"objectness"} & set(found))], where)
    if boxes["class_id"].min(initial=0) < 0:
        raise LabelError(f"{where} has the class id {boxes['class_id'].min()}, but ids begin at 0")
    made = np.zeros(len(boxes), DETECTION_DTYPE)
    for name in boxes.dtype.names or ():
        if name in (DETECTION_DTYPE.names or ()):
            made[name] = boxes[name]
    of_class = next(name for name in (*_SCORES[1:], _SCORES[0]) if name in found)
    made["class_score"] = made["class_confidence"] = boxes[of_class]
    if "objectness" not in found:
        made["objectness"] = 1
    if "score" not in found:
        made["score"] = made["objectness"] * made["class_score"]
    return in_order_of_time(made, where)


def _check_numbers(table: LabelTable, names: list[str], where: str) -> None:
    for name in names:
        kind = table.dtype[name]
        if kind.kind not in "iuf" or kind.shape:
            raise LabelError(f"{where} has {kind} in column {name!r}, but must have numbers")


def _begins(file: Path) -> bytes:
    """The format's first bytes; empty if the file is no table."""
    with file.open("rb") as opened:
        start = opened.read(len(_NUMPY))
    return next((magic for magic in (_NUMPY, _PARQUET) if start.startswith(magic)), b"")


def _read(file: Path) -> DetectionTable:
    table = load_array(file) if _begins(file) == _NUMPY else _read_parquet(file)
    return as_detection_table(table, str(file))


def _read_parquet(file: Path) -> LabelTable:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened:
            names = [each for each in opened.schema_arrow.names if each in _COLUMNS]
            columns = {name: opened.read([name])[name].to_numpy() for name in names}
    except (OSError, ValueError) as error:
        cause = " ".join(str(error).split())
        raise LabelError(f"{file} cannot be read as parquet: {cause}") from error
    dtype = np.dtype([(name, column.dtype) for name, column in columns.items()])
    table = np.zeros(len(next(iter(columns.values()), ())), dtype)
    for name, column in columns.items():
        table[name] = column
    return table


def read_index(folder: Path) -> dict[str, Any]:
    """The index of a folder of tables; empty if there is none.

    Raises:
        LabelError: If it is damaged.
    """
    path = folder / INDEX
    if not path.is_file():
        return {}
    try:
        index = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise LabelError(f"{path} is no JSON: {error}; correct or remove it") from error
    return index if isinstance(index, dict) else {}


def _names(root: Path) -> Mapping[int, str] | None:
    """Names of class ids from the index of a folder; None if it has none."""
    names = read_index(root).get("class_names")
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise LabelError(f"{root / INDEX} has class_names {names}, but must have a list of names")
    return dict(enumerate(names))

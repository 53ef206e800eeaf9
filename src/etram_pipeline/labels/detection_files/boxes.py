"""Faults of detections: values that no detector should give, and boxes of another resolution."""

import logging
from collections.abc import Mapping

import numpy as np

from etram_pipeline.core.counts import counted_of
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import LabelError
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.units import place_fault, size_doubt

logger = logging.getLogger(__name__)

_SLACK = 1e-6
"""How far a score may exceed 1, by rounding."""

_SCORES = ("score", "objectness", "class_score", "class_confidence")


def checked(
    tables: Mapping[str, DetectionTable], dataset: DatasetSettings, where: str
) -> dict[str, DetectionTable]:
    """The tables without boxes that are not finite or have a negative size.

    Boxes of size zero, boxes beyond the border of the sensor and repeated boxes stay, as in COCO's
    evaluation, where they count as false detections. A warning states what was left out, and how
    many boxes are repeated.

    Raises:
        LabelError: If scores are not between 0 and 1, or boxes are not in px of the sensor.
    """
    tables = _without_invalid(tables, where)
    everything = np.concatenate([np.zeros(0, DETECTION_DTYPE), *tables.values()])
    _check_scores(everything, where)
    fault = place_fault(everything, dataset.height, dataset.width) or size_doubt(
        everything, dataset.height, dataset.width
    )
    if fault:
        raise LabelError(f"{where}: {fault}")
    if repeated := sum(map(_num_repeated, tables.values())):
        logger.warning(
            "%s: %s repeat another one exactly, and each repetition counts as a false detection",
            where,
            counted_of(repeated, len(everything), "detection"),
        )
    if len(everything) == 0:
        logger.warning("%s holds no detection: every label counts as missed", where)
    return tables


def _without_invalid(tables: Mapping[str, DetectionTable], where: str) -> dict[str, DetectionTable]:
    kept = {key: table[_is_box(table)] for key, table in tables.items()}
    before, after = sum(map(len, tables.values())), sum(map(len, kept.values()))
    if before > after:
        logger.warning(
            "%s: %s have a position, size or score that is not finite, or a negative size, and "
            "are left out",
            where,
            counted_of(before - after, before, "detection"),
        )
    return kept


def _is_box(table: DetectionTable) -> np.ndarray:
    values = np.stack([table[name] for name in (*"xywh", *_SCORES)])
    is_box: np.ndarray = np.isfinite(values).all(axis=0) & (table["w"] >= 0) & (table["h"] >= 0)
    return is_box


def _check_scores(table: DetectionTable, where: str) -> None:
    if len(table) == 0:
        return
    for name in _SCORES:
        low, high = float(table[name].min()), float(table[name].max())
        if low < 0 or high > 1 + _SLACK:
            raise LabelError(
                f"{where} has values of `{name}` from {low:.4g} to {high:.4g}, but they must be "
                "probabilities from 0 to 1: apply the sigmoid to logits, or divide percentages by "
                "100"
            )
    if len(table) > 1 and table["score"].min() == table["score"].max():
        logger.warning(
            "%s gives all %d boxes the score %g: are these labels rather than detections?",
            where,
            len(table),
            table["score"][0],
        )


def _num_repeated(table: DetectionTable) -> int:
    columns = [table[name] for name in ("t", "class_id", "score", "x", "y", "w", "h")]
    order = np.lexsort(columns[::-1])
    if len(order) == 0:
        return 0
    equal = [column[order][1:] == column[order][:-1] for column in columns]
    return int(np.count_nonzero(np.logical_and.reduce(equal)))

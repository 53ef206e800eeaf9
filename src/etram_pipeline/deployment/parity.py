"""Whether an exported file computes what the detector of its checkpoint computes."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Integer, Shaped

from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import ParityError
from etram_pipeline.deployment.settings import ParitySettings
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.checkpoint import Checkpoint
from etram_pipeline.models.detector import Detector, State
from etram_pipeline.models.predictions import WindowPredictions
from etram_pipeline.streaming.agreement import Difference, Tolerance, compare_detections
from etram_pipeline.streaming.model import ExportedModel, Memories
from etram_pipeline.streaming.selection import Found, RawPredictions, select

logger = logging.getLogger(__name__)

Window = Integer[np.ndarray, "C H W"]

LANES = 2
"""Lanes that a file for any number of them is compared with."""

WINDOWS_OF_LANES = 5
"""Windows in which several lanes are compared with one."""


@dataclass(frozen=True)
class Parity:
    """The largest differences between an exported file and the detector of its checkpoint.

    Attributes:
        num_windows: Windows that were compared.
        boxes_px: Of a corner before suppression, in px of the frame.
        scores: Of an objectness or class score before suppression.
        memories: Of a number that is remembered; see `ParitySettings`.
        kept_boxes_px: Of a corner after suppression.
        kept_scores: Of the score of a detection.
        num_detections: Detections that were compared.
        num_tied: Windows whose detections agree only if the threshold of the overlap is moved by
            the tolerance of scores, because the overlap of two boxes lies there.
    """

    num_windows: int
    boxes_px: float
    scores: float
    memories: float
    kept_boxes_px: float
    kept_scores: float
    num_detections: int
    num_tied: int

    def numbers(self) -> dict[str, float]:
        """The differences as metrics."""
        return {
            f"deploy/parity/{name}": float(getattr(self, name))
            for name in self.__dataclass_fields__
        }


def check_parity(
    checkpoint: Checkpoint,
    path: Path,
    stretches: Iterable[Iterable[Window]],
    settings: ParitySettings,
) -> Parity:
    """Compare a file with the detector that it was exported from, window after window.

    Both carry their memory from window to window. Compared are all predictions before suppression,
    the memories, and the detections at the thresholds of the file. A detection that only one of
    them has counts as a difference, unless its score is at the threshold, or an overlap is
    (`Parity.num_tied`), within the tolerance of scores. Then two things that a runtime could get
    wrong: after a reset the first windows are answered as before, to the bit, and several lanes are
    answered as one.

    Args:
        checkpoint: What the file was exported from, on the CPU; set to the same time step.
        path: The file.
        stretches: Consecutive windows, each stretch from an empty memory.
        settings: Number of windows and tolerances.

    Raises:
        ParityError: If a difference exceeds its tolerance; names the worst window and output.
        ExportError: If the file cannot be run.
        ValueError: If there is no window.
    """
    model = ExportedModel(path)
    comparison = _Comparison(checkpoint.detector.eval(), model, settings)
    first: list[Window] = []
    left = settings.windows
    for stretch in stretches:
        comparison.restart()
        for window in islice(stretch, left):
            comparison.add(window)
            left -= 1
            if len(first) < WINDOWS_OF_LANES:
                first.append(window)
    if not first:
        raise ValueError("there is no window to compare the exported detector in")
    comparison.check(path)
    _check_reset(model, first, path)
    _check_lanes(model, first, settings, path)
    parity = comparison.result()
    if not parity.num_detections:
        logger.warning(
            "%s and its checkpoint agree in %s, but none has a detection that scores at least %s: "
            "what is left after suppression was not compared",
            path.name,
            counted(parity.num_windows, "window"),
            model.description.suppression.score_threshold,
        )
    return parity

"""Detection with other windows than in training."""

import logging
from collections.abc import Iterable

from etram_pipeline.core.errors import StoreError
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.events.windows import WindowConfig
from etram_pipeline.models.detector import Detector
from etram_pipeline.models.timing import knows_time, rescale_time

logger = logging.getLogger(__name__)


def match_window_rate(
    detector: Detector,
    trained_on: EncodingSettings | None,
    encodings: Iterable[EncodingSettings | None],
) -> None:
    """Adapt a detector to the time between windows if possible; otherwise warn if windows differ.

    Args:
        detector: The detector; changed in place if its cells can scale their time step.
        trained_on: Settings of the representations that the detector was trained on. None: unknown;
            the detector is not changed.
        encodings: Settings of the representations of each recording. None: unknown; assumed to be
            those of the training.

    Raises:
        StoreError: If the detector can scale its time step, but the time between windows differs
            among the recordings.
    """
    if trained_on is None:
        return
    trained = trained_on.windows
    found = [encoding.windows for encoding in encodings if encoding is not None]
    if not knows_time(detector):
        _warn_of_other_windows(trained, found)
        return
    steps_ms = sorted({windows.step_ms for windows in found}) or [trained.step_ms]
    if len(steps_ms) > 1:
        raise StoreError(
            f"recordings differ in the time between windows: {steps_ms} ms; preprocess them alike, "
            "or detect in the recordings of each kind separately"
        )
    factor = steps_ms[0] / trained.step_ms
    rescale_time(detector, factor)
    if factor != 1:
        logger.info(
            "windows end every %s ms, but every %s ms in training: the time step of the detector's "
            "cells is multiplied by %.4g",
            steps_ms[0],
            trained.step_ms,
            factor,
        )


def _warn_of_other_windows(trained: WindowConfig, found: Iterable[WindowConfig]) -> None:
    for windows in found:
        if _describe(windows) != _describe(trained):
            logger.warning(
                "the detector was trained on %s, but detects in %s, and its cells cannot adapt: "
                "change `windows`, or train a detector whose cells scale with time (s5)",
                _describe(trained),
                _describe(windows),
            )
            return


def _describe(windows: WindowConfig) -> str:
    if windows.num_events is not None:
        return f"windows of {windows.num_events} events every {windows.step_ms} ms"
    return f"windows of {windows.duration_ms} ms every {windows.step_ms} ms"

"""Windows that are cut otherwise than those a detector was trained on."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from etram_pipeline.core.errors import StoreError
from etram_pipeline.models.detector import Detector
from etram_pipeline.models.timing import knows_time, rescale_time

logger = logging.getLogger(__name__)

Made = Mapping[str, Any] | None


def match_window_rate(detector: Detector, trained_on: Made, made: Iterable[Made]) -> None:
    """Let a detector allow for the time between windows, where it can; else warn if it differs.

    Args:
        detector: Changed, if it knows of time.
        trained_on: Settings of windows and representation it was trained on; None: not known, and
            the detector is left as it is.
        made: Those of every recording; a recording that does not say counts as equal.

    Raises:
        StoreError: If the detector knows of time, but recordings differ in it among each other.
    """
    trained = _windows(trained_on)
    found = [windows for windows in map(_windows, made) if windows]
    if not trained:
        return
    if not knows_time(detector):
        _warn(trained, found)
        return
    steps_ms = sorted({windows["step_ms"] for windows in found}) or [trained["step_ms"]]
    if len(steps_ms) > 1:
        raise StoreError(
            f"recordings differ in the time between windows: {steps_ms} ms; preprocess them alike, "
            "or detect in those of each kind by itself"
        )
    factor = steps_ms[0] / trained["step_ms"]
    rescale_time(detector, factor)
    if factor != 1:
        logger.info(
            "windows end every %s ms, but every %s ms in training: the detector's cells step "
            "%.4g times as far",
            steps_ms[0],
            trained["step_ms"],
            factor,
        )


def _windows(settings: Made) -> Mapping[str, Any] | None:
    return settings.get("windows") if settings else None


def _warn(trained: Mapping[str, Any], found: list[Mapping[str, Any]]) -> None:
    for windows in found:
        if _describe(windows) != _describe(trained):
            logger.warning(
                "the detector was trained on %s, but detects in %s: it counts windows and cannot "
                "allow for that; change `windows`, or train one whose cell knows of time (s5)",
                _describe(trained),
                _describe(windows),
            )
            return


def _describe(windows: Mapping[str, Any]) -> str:
    if windows.get("num_events"):
        return f"windows of {windows['num_events']} events every {windows['step_ms']} ms"
    return f"windows of {windows['duration_ms']} ms every {windows['step_ms']} ms"

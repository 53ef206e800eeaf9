"""What the description of a detector keeps of the validation of its training."""

from typing import Any

from etram_pipeline.core.calibration import Calibration
from etram_pipeline.core.operating_scores import OperatingScores

SCORES_KEY = "operating_scores"
"""Where it keeps the scores that were best in the validation recordings."""

CALIBRATION_KEY = "calibration"
"""Where it keeps the scaling of scores that was fitted in the validation recordings."""


def payload_of_validation(
    operating_scores: OperatingScores | None, calibration: Calibration | None
) -> dict[str, Any]:
    """Both as plain data by key, without what is not known."""
    found = {SCORES_KEY: operating_scores, CALIBRATION_KEY: calibration}
    return {key: each.model_dump(mode="json") for key, each in found.items() if each is not None}

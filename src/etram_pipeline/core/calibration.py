"""How scores of a detector become probabilities: fitted in the validation recordings."""

import numpy as np
from jaxtyping import Float64
from pydantic import Field, SerializeAsAny

from etram_pipeline.core.component import Settings
from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.core.scalings import Scaling

LOWEST_SCORE = 0.05
"""Least score of the detections that calibration is about. Those below are never shown or
tracked, but so many and so surely wrong that they would hide the error of all others."""


class Calibration(Settings):
    """A scaling of scores, and what it was fitted to.

    Attributes:
        protocol: Name of the evaluation protocol that told which detections are right.
        choices: Fingerprint of the choices of this protocol that affect it.
        num_detections: Number of detections it was fitted to.
        scaling: The scaling of the score (objectness times class score, if a detector has both).
    """

    protocol: str
    choices: str
    num_detections: int = Field(ge=1)
    scaling: SerializeAsAny[Scaling]

    def apply(self, scores: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
        """Probability that detections with these scores are right, in the same order."""
        return self.scaling.apply(scores)

    def of(self, score: float) -> float:
        """The probability for one score."""
        return float(self.apply(np.array([score]))[0])

    def operating_scores(self, scores: OperatingScores | None) -> OperatingScores | None:
        """Operating scores that select the same detections after scaling as before.

        Scores of protocols that rank by the class probability stay as they are, because it does.
        """
        if scores is None or scores.ranking != "joint":
            return scores
        per_class = {name: self.of(score) for name, score in scores.per_class.items()}
        return scores.model_copy(update={"common": self.of(scores.common), "per_class": per_class})

"""Scores at which a trained detector is used: the lowest ones of detections that count."""

from typing import Literal

from etram_pipeline.core.component import Settings


class OperatingScores(Settings):
    """Lowest scores of detections that give the highest F1 in the validation recordings.

    Attributes:
        protocol: Name of the evaluation protocol they were found by.
        choices: Fingerprint of the choices of this protocol that affect them.
        ranking: Score they refer to: `class` the class probability, `joint` its product with the
            objectness.
        common: One score for all classes, which has the highest F1 over all their detections.
        per_class: Score of each class with a correct detection in the validation recordings.
    """

    protocol: str
    choices: str
    ranking: Literal["class", "joint"]
    common: float
    per_class: dict[str, float]

    def of_class(self, name: str) -> float:
        """Score of one class: its own, or else the common one."""
        return self.per_class.get(name, self.common)


_UNKNOWN_SCORE = 0.3
"""Lowest score shown of a detector without operating scores."""


def shown_score(scores: OperatingScores | None) -> float:
    """Lowest score (objectness times class probability) of the detections that people are shown.

    Args:
        scores: Scores that are best in the validation recordings; None if unknown.
    """
    return scores.common if scores is not None and scores.ranking == "joint" else _UNKNOWN_SCORE

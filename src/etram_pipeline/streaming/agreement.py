"""How far two programs agree on the detections in one window."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from etram_pipeline.core.component import Settings
from etram_pipeline.core.counts import counted
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.streaming.selection import Found


class Tolerance(Settings):
    """Largest differences between detections that count as equal.

    Attributes:
        boxes_px: Of a side of a box, in px of the frame.
        scores: Of a score.
    """

    boxes_px: float = 0.05
    scores: float = 1e-4


@dataclass(frozen=True)
class Difference:
    """Differences between the detections of two programs in one window.

    Attributes:
        boxes_px: Largest difference of a side of a box from the nearest one of its class, in px.
        scores: Largest difference of a score from that of the nearest detection of its class.
        num_unequal: Detections of either program that the other one does not have.
    """

    boxes_px: float
    scores: float
    num_unequal: int

    def worse(self, other: "Difference") -> "Difference":
        """The larger of both in each respect."""
        return Difference(
            max(self.boxes_px, other.boxes_px),
            max(self.scores, other.scores),
            max(self.num_unequal, other.num_unequal),
        )

    def __str__(self) -> str:
        return (
            f"{counted(self.num_unequal, 'detection')} without an equal; nearest ones differ by up "
            f"to {self.boxes_px:.2g} px and by {self.scores:.2g} in their scores"
        )


def compare_detections(
    found: Found, expected: Found, tolerance: Tolerance, suppression: SuppressionSettings
) -> Difference:
    """Compare the detections of two programs that chose them by the same settings.

    A detection that the other program does not have is overlooked if its score is within the
    tolerance of the threshold, or of the weakest detection of a window that has as many as allowed.

    Args:
        found: Detections of the first program.
        expected: Detections of the second program.
        tolerance: Largest differences that are accepted.
        suppression: How both were chosen.
    """
    limit = np.array([tolerance.boxes_px] * 4 + [tolerance.scores], np.float32)
    apart = np.abs(_numbers(expected)[:, None] - _numbers(found)[None])
    apart[expected.class_ids[:, None] != found.class_ids[None]] = np.inf
    shares = (apart / limit).max(-1, initial=0)
    num_unequal, pairs = 0, []
    for each, rows, one, other in (
        (shares, apart, expected, found),
        (shares.T, apart.swapaxes(0, 1), found, expected),
    ):
        has_none = each.min(1, initial=np.inf) > 1
        num_unequal += int((has_none & ~_may_be_absent(one, other, tolerance, suppression)).sum())
        if each.shape[1]:
            pairs.append(rows[np.arange(len(rows)), each.argmin(1)])
    nearest = np.concatenate([*pairs, np.zeros((1, 5), np.float32)])
    known = nearest[np.isfinite(nearest).all(1)]
    return Difference(float(known[:, :4].max()), float(known[:, 4].max()), num_unequal)


def _numbers(detections: Found) -> Float32[np.ndarray, "N 5"]:
    return np.column_stack([detections.boxes_xyxy, detections.scores])


def _may_be_absent(
    ours: Found, theirs: Found, tolerance: Tolerance, suppression: SuppressionSettings
) -> Bool[np.ndarray, " N"]:
    """Detections so weak that a difference of scores within the tolerance would remove them."""
    weakest = suppression.score_threshold
    if len(theirs.scores) == suppression.max_detections:
        weakest = float(theirs.scores.min())
    return ours.scores <= weakest + tolerance.scores

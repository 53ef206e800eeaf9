"""What scores of tracks are found from: sums that add up over recordings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from etram_pipeline.core.component import Settings
from etram_pipeline.evaluation.tracks.values import COUNTS

COUNT_NAMES = tuple(value.name for value in COUNTS)

SUMMED = ("matched", "AssA", "AssRe", "AssPr", "LocA")
"""Names of the sums over matches, at each overlap of a protocol."""


class TrackSums(Settings):
    """Sums of one recording and one class, or of all classes as one.

    Attributes:
        counts: The counts of `values.COUNTS` by name.
        overlap: Sum of the overlaps of boxes matched at `match_iou`.
        by_threshold: For each overlap of the protocol: number of matches (`matched`), and sums over
            matches of AssA, AssRe, AssPr and LocA.
    """

    counts: dict[str, int]
    overlap: float
    by_threshold: dict[str, tuple[float, ...]]

    @property
    def num_labels(self) -> int:
        """Labels compared."""
        return self.counts["TP"] + self.counts["FN"]

    @property
    def num_tracked(self) -> int:
        """Track boxes compared."""
        return self.counts["TP"] + self.counts["FP"]


def make_sums(
    counts: Mapping[str, Any], overlap: float, by_threshold: Float64[np.ndarray, "S A"]
) -> TrackSums:
    """Sums of plain numbers.

    Args:
        counts: By name.
        overlap: Sum of overlaps.
        by_threshold: Number of matches, then sums of AssA, AssRe, AssPr and LocA, by overlap.
    """
    return TrackSums(
        counts={name: int(counts[name]) for name in COUNT_NAMES},
        overlap=overlap,
        by_threshold={
            name: tuple(values.tolist()) for name, values in zip(SUMMED, by_threshold, strict=True)
        },
    )


def no_sums(num_thresholds: int) -> TrackSums:
    """Sums of nothing."""
    return make_sums(dict.fromkeys(COUNT_NAMES, 0), 0.0, np.zeros((len(SUMMED), num_thresholds)))


def total_counts(sums: Sequence[TrackSums]) -> dict[str, int]:
    """The counts of all recordings or classes together."""
    return {name: sum(each.counts[name] for each in sums) for name in COUNT_NAMES}

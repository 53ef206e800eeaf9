"""What scores of tracks are found from: sums that add up over recordings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from etram_pipeline.core.component import Settings
from etram_pipeline.evaluation.resampling import Weights
from etram_pipeline.evaluation.tracks.values import COUNTS

_SUMMED = ("matched", "AssA", "AssRe", "AssPr", "LocA")
_ALMOST_NONE = 1e-10  # of TrackEval: without a match, LocA is 1

_Values = dict[str, Float64[np.ndarray, "..."]]


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


@dataclass(frozen=True)
class Totals:
    """Sums of several recordings, for several draws of these.

    Attributes:
        counts: By count, in the order of `values.COUNTS`, and draw.
        overlaps: Sum of overlaps, by draw.
        by_threshold: By sum, overlap of the protocol and draw.
    """

    counts: Float64[np.ndarray, "C N"]
    overlaps: Float64[np.ndarray, " N"]
    by_threshold: Float64[np.ndarray, "S A N"]

    @classmethod
    def of(cls, sums: Sequence[TrackSums], weights: Weights) -> "Totals":
        """The sums of recordings, each as often as each draw has it.

        Args:
            sums: Of each recording; at least one.
            weights: How often each recording is drawn.
        """
        counts, overlaps, by_threshold = (
            np.array(each) for each in zip(*map(_arrays, sums), strict=True)
        )
        drawn = weights.astype(np.float64)
        return cls(counts.T @ drawn, overlaps @ drawn, np.moveaxis(by_threshold, 0, -1) @ drawn)

    def count(self, name: str) -> Float64[np.ndarray, " N"]:
        """A count by draw."""
        count: Float64[np.ndarray, " N"] = self.counts[_COUNT_NAMES.index(name)]
        return count

    @property
    def num_labels(self) -> Float64[np.ndarray, " N"]:
        """Labels compared, by draw."""
        number: Float64[np.ndarray, " N"] = self.count("TP") + self.count("FN")
        return number

    @property
    def curves(self) -> _Values:
        """HOTA and its parts by overlap of the protocol and draw."""
        matched, *sums = self.by_threshold
        num_labels, num_tracked = self.num_labels, self.count("TP") + self.count("FP")
        some = np.maximum(1, matched)
        ass_a, ass_re, ass_pr = (each / some for each in sums[:3])
        det_a = matched / np.maximum(1, num_labels + num_tracked - matched)
        return {
            "HOTA": np.sqrt(det_a * ass_a),
            "DetA": det_a,
            "AssA": ass_a,
            "DetRe": matched / np.maximum(1, num_labels),
            "DetPr": matched / np.maximum(1, num_tracked),
            "AssRe": ass_re,
            "AssPr": ass_pr,
            "LocA": np.maximum(_ALMOST_NONE, sums[3]) / np.maximum(_ALMOST_NONE, matched),
        }

    @property
    def values(self) -> _Values:
        """Every value by name and draw, as TrackEval combines recordings."""
        found = {name: curve.mean(axis=0) for name, curve in self.curves.items()}
        right, false, switches = (self.count(name) for name in ("TP", "FP", "IDSW"))
        same, lost, other = (self.count(name) for name in ("IDTP", "IDFN", "IDFP"))
        return found | {
            "MOTA": (right - false - switches) / np.maximum(1, self.num_labels),
            "MOTP": self.overlaps / np.maximum(1, right),
            "IDF1": same / np.maximum(1, same + other / 2 + lost / 2),
            "IDR": same / np.maximum(1, same + lost),
            "IDP": same / np.maximum(1, same + other),
        }


_COUNT_NAMES = tuple(value.name for value in COUNTS)


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
        counts={name: int(counts[name]) for name in _COUNT_NAMES},
        overlap=overlap,
        by_threshold={
            name: tuple(values.tolist()) for name, values in zip(_SUMMED, by_threshold, strict=True)
        },
    )


def no_sums(num_thresholds: int) -> TrackSums:
    """Sums of nothing."""
    return make_sums(dict.fromkeys(_COUNT_NAMES, 0), 0.0, np.zeros((len(_SUMMED), num_thresholds)))


def total_counts(sums: Sequence[TrackSums]) -> dict[str, int]:
    """The counts of all recordings or classes together."""
    return {name: sum(each.counts[name] for each in sums) for name in _COUNT_NAMES}


def _arrays(sums: TrackSums) -> tuple[list[int], float, list[tuple[float, ...]]]:
    return (
        [sums.counts[name] for name in _COUNT_NAMES],
        sums.overlap,
        [sums.by_threshold[name] for name in _SUMMED],
    )

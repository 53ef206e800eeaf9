"""Sums of several recordings, and the values that they give."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from etram_pipeline.evaluation.resampling import Weights
from etram_pipeline.evaluation.tracks.sums import COUNT_NAMES, SUMMED, TrackSums

_ALMOST_NONE = 1e-10  # of TrackEval: without a match, LocA is 1

_Values = dict[str, Float64[np.ndarray, "..."]]


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
        count: Float64[np.ndarray, " N"] = self.counts[COUNT_NAMES.index(name)]
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


def _arrays(sums: TrackSums) -> tuple[list[int], float, list[tuple[float, ...]]]:
    return (
        [sums.counts[name] for name in COUNT_NAMES],
        sums.overlap,
        [sums.by_threshold[name] for name in SUMMED],
    )

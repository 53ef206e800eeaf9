"""Sums of recordings to values, for any draw of the recordings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from etram_pipeline.evaluation.breakdown import recordings_by_lighting
from etram_pipeline.evaluation.resampling import Name, Resampled, Weights, draw_recordings
from etram_pipeline.evaluation.tracks.result import RecordingSums, TrackMetrics, place_of_class
from etram_pipeline.evaluation.tracks.sums import TrackSums
from etram_pipeline.evaluation.tracks.totals import Totals
from etram_pipeline.evaluation.tracks.values import HEADLINE


@dataclass(frozen=True)
class Combined:
    """Values of some recordings, draw by draw; NaN without labels.

    Attributes:
        values: By name and draw.
        curves: HOTA and its parts by name, overlap of the protocol, and draw.
        num_labels: Labels of each recording.
    """

    values: Mapping[str, Float64[np.ndarray, " N"]]
    curves: Mapping[str, Float64[np.ndarray, "A N"]]
    num_labels: Int64[np.ndarray, " R"]

    def resampled(self, name: str) -> Resampled:
        """A value with the labels it depends on."""
        return Resampled(self.values[name], self.num_labels)


def combine_class(sums: Sequence[TrackSums | None], weights: Weights) -> Combined:
    """Values of one class, or of all classes as one.

    Args:
        sums: Of each recording; None without labels and tracks of the class.
        weights: How often each recording is drawn.
    """
    rows = [row for row, each in enumerate(sums) if each is not None]
    totals = Totals.of([each for each in sums if each is not None], weights[rows])
    unknown = np.where(totals.num_labels > 0, 0.0, np.nan)
    return Combined(
        {name: each + unknown for name, each in totals.values.items()},
        {name: each + unknown for name, each in totals.curves.items()},
        np.array([each.num_labels if each else 0 for each in sums]) * weights.any(axis=1),
    )


def combine_all(
    recordings: Sequence[RecordingSums], weights: Weights, *, class_aware: bool
) -> Combined:
    """Values of all classes as one, or means over the classes that have labels.

    Args:
        recordings: Sums of each.
        weights: How often each is drawn.
        class_aware: Whether classes are compared each for itself.
    """
    if not class_aware:
        return combine_class([each.together for each in recordings], weights)
    names = dict.fromkeys(name for each in recordings for name in each.per_class)
    parts = [
        combine_class([each.per_class.get(name) for each in recordings], weights) for name in names
    ]
    return Combined(
        _means([part.values for part in parts]),
        _means([part.curves for part in parts]),
        np.sum([part.num_labels for part in parts], axis=0),
    )


def resample_tracks(metrics: TrackMetrics, rounds: int) -> dict[Name, Resampled]:
    """Every value for draws of as many recordings as there are, by the parts of its name.

    Args:
        metrics: Scores of tracks.
        rounds: Number of draws.
    """
    return dict(_resample(metrics, rounds)) if metrics.num_labels else {}


def _resample(metrics: TrackMetrics, rounds: int) -> Iterator[tuple[Name, Resampled]]:
    names, sums = list(metrics.recordings), list(metrics.recordings.values())
    class_aware = metrics.protocol.class_aware
    weights = draw_recordings(names, np.ones(len(names), bool), rounds)
    overall = combine_all(sums, weights, class_aware=class_aware)
    yield from (((name,), overall.resampled(name)) for name in overall.values)
    for class_name in metrics.labelled_classes:
        found = combine_class([each.per_class.get(class_name) for each in sums], weights)
        where = place_of_class(class_name, metrics.groups)
        yield from (((*where, name), found.resampled(name)) for name in HEADLINE)
    for group, wanted in recordings_by_lighting(names).items():
        if group in metrics.groups:
            drawn = draw_recordings(names, wanted, rounds)
            found = combine_all(sums, drawn, class_aware=class_aware)
            yield from (((group, name), found.resampled(name)) for name in HEADLINE)


def _means(
    parts: Sequence[Mapping[str, Float64[np.ndarray, "..."]]],
) -> dict[str, Float64[np.ndarray, "..."]]:
    """Mean over the classes that have labels."""
    found = {}
    for name in parts[0]:
        values = np.array([part[name] for part in parts])
        is_known = np.isfinite(values)
        with np.errstate(invalid="ignore"):
            found[name] = np.where(is_known, values, 0).sum(axis=0) / is_known.sum(axis=0)
    return found

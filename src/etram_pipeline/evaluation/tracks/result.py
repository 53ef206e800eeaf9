"""The result of scoring tracks, and how it is written down."""

import math
from collections.abc import Iterator

from pydantic import Field

from etram_pipeline.core.component import Settings
from etram_pipeline.core.metric_names import metric_names
from etram_pipeline.evaluation.result import LEVEL, Interval
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.evaluation.tracks.sums import TrackSums
from etram_pipeline.evaluation.tracks.values import HEADLINE


class TrackClassMetrics(Settings):
    """Scores of the tracks of one class.

    Attributes:
        metrics: By name, as in `TrackMetrics.overall`. They say nothing if there are no labels.
        counts: By name, as in `TrackMetrics.counts`.
        num_labels: Labels that counted.
        num_tracked: Track boxes that were compared.
    """

    metrics: dict[str, float]
    counts: dict[str, int]
    num_labels: int
    num_tracked: int


class RecordingSums(Settings):
    """What the scores of one recording are found from.

    Attributes:
        together: Sums of all classes as one; None if the protocol compares each for itself.
        per_class: Sums by name of the class; classes without labels and tracks are left out.
    """

    together: TrackSums | None = None
    per_class: dict[str, TrackSums]

    @property
    def compared(self) -> tuple[TrackSums, ...]:
        """The sums behind the overall values."""
        return tuple(self.per_class.values()) if self.together is None else (self.together,)


class TrackMetrics(Settings):
    """Everything one protocol says about the tracks of one split.

    Attributes:
        protocol: How the numbers came about.
        split: Recordings they are of, the first part of every name logged in MLflow.
        overall: Every value of `values.VALUES` by name. If the protocol tells classes apart, means
            over the classes that have labels. As in TrackEval, nearly all are 0 if there are no
            labels at all, and say nothing then.
        counts: Every count of `values.COUNTS` by name; sums over classes if the protocol tells
            them apart.
        per_class: The same by class name; class-aware under every protocol.
        groups: Overall values for the recordings by day, by night and in twilight, according to
            their names; only groups with labels.
        by_threshold: HOTA and its parts by name, at each overlap of `protocol.iou_thresholds`.
        num_recordings: Recordings compared; those without labels are not.
        num_moments: Moments compared.
        num_labels: Labels that counted.
        num_tracked: Track boxes that were compared.
        ground_truth: Fingerprint of the labels that count.
        intervals: Intervals over recordings, by the names of `flatten_track_metrics` without the
            prefix.
        interval_level: Share of such intervals that cover the value of all recordings of the kind.
        no_intervals: Why there is none.
        recordings: Sums by recording, from which intervals and comparisons are made.
    """

    protocol: TrackProtocol
    split: str = "test"
    overall: dict[str, float]
    counts: dict[str, int]
    per_class: dict[str, TrackClassMetrics]
    groups: dict[str, dict[str, float]]
    by_threshold: dict[str, list[float]]
    num_recordings: int
    num_moments: int
    num_labels: int
    num_tracked: int
    ground_truth: str = ""
    intervals: dict[str, Interval] = Field(default_factory=dict)
    interval_level: float = LEVEL
    no_intervals: str = ""
    recordings: dict[str, RecordingSums] = Field(default_factory=dict)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes that count."""
        return tuple(self.per_class)

    @property
    def labelled_classes(self) -> tuple[str, ...]:
        """Classes that have labels, whose metrics say something."""
        return tuple(name for name, each in self.per_class.items() if each.num_labels)

    def interval_of(self, value: str, *, class_name: str = "", group: str = "") -> Interval | None:
        """Interval of a value of all recordings, of a class, or of a group; None without one."""
        parts: tuple[str, ...] = (group, value) if group else (value,)
        if class_name:
            parts = (*place_of_class(class_name, self.groups), value)
        known = [each for each, _ in _parts(self)]
        return self.intervals.get(metric_names([*known, parts])[parts])


def flatten_track_metrics(metrics: TrackMetrics, prefix: str | None = None) -> dict[str, float]:
    """Scores of tracks under the names that MLflow shows: `test/etram_tracks_8class/car/HOTA`.

    These are all overall values and counts, and the headline values of each class and group with
    labels. The ends of the intervals of overall headline values are `HOTA_low` and `HOTA_high`.
    """
    root = prefix or metrics.split, metrics.protocol.name
    parts = dict(_parts(metrics))
    names = metric_names((*root, *each) for each in parts)
    return {names[(*root, *each)]: value for each, value in parts.items() if math.isfinite(value)}


def place_of_class(class_name: str, groups: dict[str, dict[str, float]]) -> tuple[str, ...]:
    """First parts of the names of a class, which may be called like a group of recordings."""
    return ("class", class_name) if class_name in groups else (class_name,)


def _parts(metrics: TrackMetrics) -> Iterator[tuple[tuple[str, ...], float]]:
    """Every value that MLflow shows, by the parts of its name."""
    if metrics.num_labels:
        yield from (((name,), value) for name, value in metrics.overall.items())
    yield from (((name,), float(number)) for name, number in metrics.counts.items())
    for group, of_group in metrics.groups.items():
        yield from (((group, name), of_group[name]) for name in HEADLINE)
    for class_name in metrics.labelled_classes:
        where = place_of_class(class_name, metrics.groups)
        found = metrics.per_class[class_name].metrics
        yield from (((*where, name), found[name]) for name in HEADLINE)
    for name in HEADLINE:
        if name in metrics.intervals:
            yield (f"{name}_low",), metrics.intervals[name].low
            yield (f"{name}_high",), metrics.intervals[name].high

"""The result of an evaluation, and how it is written down."""

import math
from collections.abc import Iterator

from pydantic import Field

from etram_pipeline.core.component import Settings
from etram_pipeline.core.metric_names import metric_names
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH
from etram_pipeline.evaluation.protocol import Protocol

BACKGROUND = "background"
"""Last class of a confusion matrix."""

ROUNDS = 1000
"""Usual number of draws of the recordings behind an interval."""

LEVEL = 0.95
"""Usual share of intervals that cover the value of all recordings of the kind."""

OPERATING = "operating"
"""First part of the names of values at the operating point."""

LIGHTING = ("day", "night", "twilight")
"""Groups of recordings by the light in which they were made."""

_F1 = (OPERATING, "F1")


class Interval(Settings):
    """A value, and the range in which it may lie for other recordings of the same kind.

    Attributes:
        value: The value itself.
        low: Lower end of the interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float


class ClassMetrics(Settings):
    """Metrics of one class.

    Attributes:
        metrics: By name, as in `Metrics.overall`.
        num_labels: Labels that counted.
        num_detections: Detections that counted.
    """

    metrics: dict[str, float]
    num_labels: int
    num_detections: int


class Confusion(Settings):
    """What was taken for what.

    Attributes:
        class_names: Classes that count, then `background`: nothing there, or nothing detected.
        counts: Number of pairs; rows are the truth, columns what was detected.
    """

    class_names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class ScoredAt(Settings):
    """Detections with at least some score, compared with the labels.

    Attributes:
        score: Lowest score of a detection that counts.
        precision: Share of these detections that are right; 0 if there are none.
        recall: Share of the labels that they find.
        f1: Harmonic mean of both.
        num_labels: Labels to find. Without any, precision, recall and F1 are -1.
        num_detections: Detections with at least this score.
    """

    score: float
    precision: float
    recall: float
    f1: float
    num_labels: int
    num_detections: int


class OperatingPoint(Settings):
    """Precision, recall and F1 at the scores that are best in the validation recordings.

    Attributes:
        iou: Overlap from which a detection is right.
        overall: All classes at one common score.
        per_class: Each class at its own score, always class-aware.
        at_common_score: Classes without a right detection in the validation recordings, and
            therefore without a score of their own; they are evaluated at the common one.
    """

    iou: float
    overall: ScoredAt
    per_class: dict[str, ScoredAt]
    at_common_score: tuple[str, ...] = ()


class LabelCounts(Settings):
    """Numbers of labels that counted.

    Attributes:
        total: Of any size.
        by_size: In each area range of the protocol.
    """

    total: int
    by_size: dict[str, int]


class Metrics(Settings):
    """Everything one protocol says about one set of detections.

    Attributes:
        protocol: How the numbers came about.
        split: Recordings they are of, the first part of every name logged in MLflow.
        overall: Values of the protocol's metrics by name; -1 without ground truth.
        per_class: The same by class name; class-aware under every protocol.
        groups: The same for the recordings by day, by night and in twilight, according to their
            names; only groups that exist.
        precision_recall: Precision at recall 0, 0.01 … 1 and the protocol's `curve_iou` by class;
            -1 without ground truth. Empty if no metric of the protocol has it.
        confusion: At IoU 0.5, of detections with at least the protocol's `confusion_score`.
        num_recordings: Recordings compared.
        num_frames: Moments compared.
        num_labels: Labels that counted.
        num_detections: Detections that counted; one near two frames counts in both.
        label_counts: Labels of `all` recordings and of each group; empty in results of versions
            that did not count them.
        operating_point: Precision, recall and F1 at the scores that are best in the validation
            recordings; None without such scores.
        no_operating_point: Why there is none, and what to do about it.
        ground_truth: Fingerprint of the labels that count; empty in results of versions that did
            not compute it.
        intervals: Intervals over recordings, by the names of `flatten_metrics` without the prefix.
        interval_level: Share of such intervals that cover the value of all recordings of the kind.
        no_intervals: Why there is none.
    """

    protocol: Protocol
    split: str = "test"
    overall: dict[str, float]
    per_class: dict[str, ClassMetrics]
    groups: dict[str, dict[str, float]]
    precision_recall: dict[str, list[float]]
    confusion: Confusion
    num_recordings: int
    num_frames: int
    num_labels: int
    num_detections: int
    label_counts: dict[str, LabelCounts] = Field(default_factory=dict)
    operating_point: OperatingPoint | None = None
    no_operating_point: str = ""
    ground_truth: str = Field(default="", exclude_if=lambda value: not value)
    intervals: dict[str, Interval] = Field(default_factory=dict, exclude_if=lambda value: not value)
    interval_level: float = Field(default=LEVEL, exclude_if=lambda value: value == LEVEL)
    no_intervals: str = Field(default="", exclude_if=lambda value: not value)

    def interval_of(self, value: str, *, class_name: str = "", group: str = "") -> Interval | None:
        """Interval of a value of all recordings, of a class, or of a group; None without one."""
        if not self.intervals:
            return None
        parts: tuple[str, ...] = (group, value) if group else (value,)
        if class_name:
            parts = (*_place_of_class(class_name, self), value)
        all_parts = [(name,) for name in self.overall] + [part for part, _ in _parts(self)]
        return self.intervals.get(metric_names([*all_parts, parts])[parts])


def flatten_metrics(metrics: Metrics, prefix: str | None = None) -> dict[str, float]:
    """Metrics under the names that MLflow shows: `test/etram_8class/car/AP_50`.

    These are all overall values, and the headline values of each class and group. Values at the
    operating point follow `operating`: `test/etram_8class/operating/precision`, and F1 of each
    class. No two classes share a name. Values without ground truth are left out. The ends of the
    intervals of overall headline values are `AP_low` and `AP_high`.
    """
    root = prefix or metrics.split, metrics.protocol.name
    values: dict[tuple[str, ...], float] = {
        (*root, name): value for name, value in metrics.overall.items()
    }
    values |= {(*root, *part): value for part, value in _parts(metrics)}
    # A size may be called `low`.
    values = {(*root, *part): end for part, end in _interval_ends(metrics)} | values
    names = metric_names(values)
    return {
        names[parts]: value
        for parts, value in values.items()
        if value != NO_GROUND_TRUTH and math.isfinite(value)
    }


def _parts(metrics: Metrics) -> Iterator[tuple[tuple[str, ...], float]]:
    shown = [value.name for value in metrics.protocol.shown("headline")]
    point = metrics.operating_point
    for group, of_group in metrics.groups.items():
        yield from (((group, name), of_group[name]) for name in shown if name in of_group)
    for class_name, of_class in metrics.per_class.items():
        where = _place_of_class(class_name, metrics)
        found = of_class.metrics
        yield from (((*where, name), found[name]) for name in shown if name in found)
        if point is not None:
            yield (*where, *_F1), point.per_class[class_name].f1
    if point is not None:
        yield from _of_point(point.overall)


def _place_of_class(class_name: str, metrics: Metrics) -> tuple[str, ...]:
    # A class may have the name of a group of recordings.
    return ("class", class_name) if class_name in metrics.groups else (class_name,)


def _interval_ends(metrics: Metrics) -> Iterator[tuple[tuple[str, ...], float]]:
    for value in metrics.protocol.shown("headline"):
        if (interval := metrics.interval_of(value.name)) is not None:
            yield (f"{value.name}_low",), interval.low
            yield (f"{value.name}_high",), interval.high


def _of_point(found: ScoredAt) -> Iterator[tuple[tuple[str, ...], float]]:
    yield _F1, found.f1
    if found.f1 == NO_GROUND_TRUTH:
        return
    yield (OPERATING, "precision"), found.precision
    yield (OPERATING, "recall"), found.recall
    yield (OPERATING, "score"), found.score

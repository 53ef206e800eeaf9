"""The result of comparing counts with the truth, and how it is written down."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from etram_pipeline.core.component import Settings
from etram_pipeline.core.metric_names import metric_names
from etram_pipeline.evaluation.counts.protocol import CountProtocol

Unit = Literal["recording", "minute"]
"""What is drawn from all traffic of the kind: recordings, or minutes of a single recording."""


class Share(Settings):
    """A share of crossings, with Wilson's interval.

    Attributes:
        value: The share.
        low: Lower end of the interval.
        high: Upper end.
        number: Crossings of which it is the share.
    """

    value: float
    low: float
    high: float
    number: int


class CountScores(Settings):
    """Counted crossings compared with the true ones.

    Attributes:
        true: True crossings.
        counted: Counted crossings.
        recall: Share of the true ones that were counted; None without any.
        precision: Share of the counted ones that are true; None without any.
        class_accuracy: Share of the true ones counted whose class is right; None without any.
        error: Difference of the sums in shares of the true one; None without true crossings.
        error_low: Lower end of its interval over units, at least -1; None without an interval.
        error_high: Upper end.
    """

    true: int
    counted: int
    recall: Share | None = None
    precision: Share | None = None
    class_accuracy: Share | None = None
    error: float | None = None
    error_low: float | None = None
    error_high: float | None = None

    @property
    def difference(self) -> int:
        """Counted crossings minus true ones."""
        return self.counted - self.true


class BinCount(Settings):
    """Crossings of one line in one direction in one bin of time.

    Attributes:
        recording: Key of the recording.
        bin_min: Length of the bin, in minutes.
        bin_start_s: Its start in seconds of the recording; negative if the recording began later.
        observed_s: Seconds of it that were observed.
        line: The line.
        direction: The direction.
        true: True crossings.
        counted: Counted crossings.
    """

    recording: str
    bin_min: int
    bin_start_s: float
    observed_s: float
    line: str
    direction: str
    true: int
    counted: int

    @property
    def difference(self) -> int:
        """Counted crossings minus true ones."""
        return self.counted - self.true


class BinErrors(Settings):
    """Differences in bins of one length, per line and direction.

    Attributes:
        bin_min: Length of the bins, in minutes.
        mean_absolute_error: Mean absolute difference, in crossings; None without bins.
        num_bins: Bins it is the mean of, also those without crossings.
        mean_relative_error: Mean absolute difference in shares of the true number, of bins with
            true crossings; None without any.
        num_relative: Bins it is the mean of.
        mean_geh: Mean GEH of hourly flows; None without any.
        geh_below_5: Share of these flows whose GEH is below 5.
        num_geh: Flows of 15 minutes that were observed whole and have crossings.
    """

    bin_min: int
    mean_absolute_error: float | None = None
    num_bins: int = 0
    mean_relative_error: float | None = None
    num_relative: int = 0
    mean_geh: float | None = None
    geh_below_5: float | None = None
    num_geh: int = 0


class UnitCount(Settings):
    """Crossings of one unit, from which intervals come.

    Attributes:
        name: Key of the recording, or number of the minute.
        true: True crossings.
        counted: Counted crossings.
        found: True crossings that were counted.
        same_class: Those of them whose class is right.
    """

    name: str
    true: int
    counted: int
    found: int
    same_class: int


class CountMetrics(Settings):
    """Everything said about the error of one set of counts.

    Attributes:
        protocol: How the numbers came about.
        split: Recordings they are of, the first part of every name logged in MLflow.
        overall: Of all lines, directions and classes.
        groups: By day, by night and in twilight, according to the names of the recordings; only
            groups that exist.
        per_line: By line.
        per_direction: By line, then direction.
        per_class: By class. A true crossing is found whatever its class; `recall` and
            `class_accuracy` are of true crossings of the class, `precision` of counted ones.
        bin_errors: For each length of bins.
        bins: Every bin.
        unit: What intervals of errors come from.
        units: Crossings of each unit.
        no_interval: Why there is none; empty if there is one.
        num_recordings: Recordings compared.
        observed_s: Time observed, in seconds.
    """

    protocol: CountProtocol
    split: str = "test"
    overall: CountScores
    groups: dict[str, CountScores] = Field(default_factory=dict)
    per_line: dict[str, CountScores] = Field(default_factory=dict)
    per_direction: dict[str, dict[str, CountScores]] = Field(default_factory=dict)
    per_class: dict[str, CountScores] = Field(default_factory=dict)
    bin_errors: tuple[BinErrors, ...] = ()
    bins: tuple[BinCount, ...] = ()
    unit: Unit
    units: tuple[UnitCount, ...] = ()
    no_interval: str = ""
    num_recordings: int
    observed_s: float


def flatten_count_metrics(metrics: CountMetrics, prefix: str | None = None) -> dict[str, float]:
    """Metrics under the names that MLflow shows: `test/grid/count_recall`.

    Recall, precision, class accuracy and error are there for all crossings, `test/grid/night/…` for
    each group and `test/grid/car/…` for each class; differences in bins are
    `test/grid/count_error_per_15_min`. Values that do not exist are left out.

    Args:
        metrics: The result.
        prefix: First part of all names; the split by default.
    """
    root = prefix or metrics.split, metrics.protocol.name
    values = {
        (*root, *place, f"count_{name}"): value
        for place, scores in _places(metrics)
        for name, value in _values(scores)
    }
    for errors in metrics.bin_errors:
        if errors.mean_absolute_error is not None:
            values[*root, f"count_error_per_{errors.bin_min}_min"] = errors.mean_absolute_error
        if errors.geh_below_5 is not None:
            values[*root, "count_geh_below_5"] = errors.geh_below_5
    names = metric_names(values)
    return {names[parts]: value for parts, value in values.items()}


def _places(metrics: CountMetrics) -> Iterator[tuple[tuple[str, ...], CountScores]]:
    yield (), metrics.overall
    for group, scores in metrics.groups.items():
        yield (group,), scores
    for class_name, scores in metrics.per_class.items():
        # A class may have the name of a group of recordings.
        yield ("class", class_name) if class_name in metrics.groups else (class_name,), scores


def _values(scores: CountScores) -> Iterator[tuple[str, float]]:
    for name in ("recall", "precision", "class_accuracy"):
        share = getattr(scores, name)
        if share is not None:
            yield name, share.value
    for name in ("error", "error_low", "error_high"):
        value = getattr(scores, name)
        if value is not None:
            yield name, value

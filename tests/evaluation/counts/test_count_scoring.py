"""Counts compared with the truth."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation.counts.paired import compare_count_metrics
from etram_pipeline.evaluation.counts.protocol import CountProtocol
from etram_pipeline.evaluation.counts.result import (
    BinErrors,
    CountMetrics,
    flatten_count_metrics,
)
from etram_pipeline.evaluation.counts.scoring import compare_counts
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.traffic.crossings import CROSSING_DTYPE

CLASSES = ("pedestrian", "car", "bus")
Row = tuple[float, str, str, int]


def crossings(rows: Sequence[Row]) -> np.ndarray:
    """Crossings at times in seconds."""
    found = np.zeros(len(rows), CROSSING_DTYPE)
    for row, (time_s, line, direction, class_id) in zip(found, rows, strict=True):
        row["t"], row["line"], row["direction"] = round(time_s * 1e6), line, direction
        row["class_id"], row["height_px"] = class_id, 20
    return found


def cars(*seconds: float, line: str = "north", direction: str = "in") -> list[Row]:
    return [(time_s, line, direction, 1) for time_s in seconds]


def seen(stop_s: float, start_s: float = 0.0, at: datetime | None = None) -> Observed:
    return Observed(640, 384, round(start_s * 1e6), round(stop_s * 1e6), at)


def compared(
    *recordings: tuple[list[Row], list[Row]],
    seconds: float = 60.0,
    names: Sequence[str] = (),
    bins_min: tuple[int, ...] = (1,),
) -> CountMetrics:
    keys = names or [f"test/day_{number}" for number in range(len(recordings))]
    return compare_counts(
        {key: crossings(true) for key, (true, _) in zip(keys, recordings, strict=True)},
        {key: crossings(found) for key, (_, found) in zip(keys, recordings, strict=True)},
        {key: seen(seconds) for key in keys},
        CLASSES,
        CountProtocol(name="grid", bins_min=bins_min),
    )


def test_a_missed_and_a_false_crossing_do_not_cancel() -> None:
    found = compared((cars(1, 5, 9), cars(1.2, 5.2, 30))).overall
    assert (found.true, found.counted, found.difference, found.error) == (3, 3, 0, 0.0)
    assert found.recall is not None
    assert found.precision is not None
    assert found.recall.value == found.precision.value == pytest.approx(2 / 3)
    assert found.recall.number == found.precision.number == 3
    assert found.recall.low < 2 / 3 < found.recall.high


def test_no_interval_reaches_below_the_error_of_counting_nothing() -> None:
    found = compared((cars(1, 5), []), (cars(1, 5), cars(1, 5)), (cars(1, 5), [])).overall
    assert found.error == pytest.approx(-2 / 3)
    assert found.error_low == -1.0
    # By hand: deviations -1/3, 2/3 and -1/3, and Student's t of 2 degrees of freedom.
    assert found.error_high == pytest.approx(-2 / 3 + 4.302653 / 3)


def test_line_and_direction_must_agree_but_not_the_class() -> None:
    true = [(1.0, "north", "in", 1), (2.0, "south", "in", 1), (3.0, "north", "in", 2)]
    found = [(1.0, "north", "out", 1), (2.0, "south", "in", 1), (3.1, "north", "in", 1)]
    metrics = compared((true, found))
    assert metrics.overall.recall is not None
    assert metrics.overall.recall.value == pytest.approx(2 / 3)
    assert metrics.overall.class_accuracy is not None
    assert (metrics.overall.class_accuracy.value, metrics.overall.class_accuracy.number) == (0.5, 2)
    assert {line: each.difference for line, each in metrics.per_line.items()} == {
        "north": 0,
        "south": 0,
    }
    directions = metrics.per_direction["north"]
    assert {name: (each.true, each.counted) for name, each in directions.items()} == {
        "in": (2, 1),
        "out": (0, 1),
    }
    assert {name: each.difference for name, each in metrics.per_class.items()} == {
        "car": 1,
        "bus": -1,
    }
    assert metrics.per_class["bus"].precision is None


def test_those_who_pass_side_by_side_are_told_apart_by_their_places() -> None:
    true, found = (
        crossings([(1.0, "north", "in", 1), (1.1, "north", "in", 2)]),
        crossings([(1.04, "north", "in", 2), (1.06, "north", "in", 1)]),
    )
    true["y"], found["y"] = (100, 150), (150, 100)
    metrics = compare_counts(
        {"a": true}, {"a": found}, {"a": seen(60)}, CLASSES, CountProtocol()
    ).overall
    assert metrics.class_accuracy is not None
    assert metrics.class_accuracy.value == 1


def test_same_event_in_another_recording_is_not_the_same() -> None:
    metrics = compared((cars(1), []), ([], cars(1)))
    assert metrics.overall.recall is not None
    assert metrics.overall.recall.value == 0


def test_error_has_an_interval_over_recordings() -> None:
    metrics = compared(
        (cars(*range(10)), cars(*range(11))),
        (cars(*range(20)), cars(*range(18))),
        (cars(*range(30)), cars(*range(33))),
        names=("test_day_1", "test_night_1", "test_day_2"),
    )
    overall = metrics.overall
    assert overall.error == pytest.approx(2 / 60)
    assert overall.error_low is not None
    assert overall.error_high is not None
    # Deviations from 1/30 of the truth are 2/3, -8/3 and 2; t of 2 degrees is 4.302653.
    half = 4.302653 * np.sqrt((4 / 9 + 64 / 9 + 4) / 6) / 20
    assert overall.error_high - overall.error_low == pytest.approx(2 * half, rel=1e-6)
    assert (metrics.unit, metrics.no_interval) == ("recording", "")
    assert {name: each.true for name, each in metrics.groups.items()} == {"day": 40, "night": 20}
    assert metrics.groups["day"].error == pytest.approx(0.1)
    assert metrics.groups["day"].error_low is None


def test_single_recording_gives_an_interval_over_its_whole_minutes() -> None:
    true, found = cars(10, 70, 80, 130, 190), cars(10, 20, 70, 130, 190)
    metrics = compared((true, found), seconds=199)
    assert metrics.unit == "minute"
    assert [(unit.name, unit.true, unit.counted) for unit in metrics.units] == [
        ("1", 1, 2),
        ("2", 2, 1),
        ("3", 1, 1),
    ]
    assert metrics.overall.error == 0
    assert metrics.overall.error_low is not None
    assert metrics.overall.error_high == pytest.approx(4.302653 * np.sqrt(2 / 6) / (4 / 3))
    assert metrics.overall.error_low == -1  # the interval is as wide to this side, and cut


@pytest.mark.parametrize(
    ("recordings", "reason"),
    [
        (
            [(cars(1), cars(1))],
            "an interval needs 3 recordings or minutes, but there is a single recording with 1 "
            "whole minute",
        ),
        ([(cars(1), cars(2))] * 2, "an interval needs 3 recordings, but there are 2 recordings"),
        ([([], [])] * 3, "no line was crossed, so that there is nothing to compare counts with"),
        ([(cars(1), cars(1))] * 3, "the error is the same in every recording, which"),
    ],
)
def test_missing_interval_has_a_reason(
    recordings: list[tuple[list[Row], list[Row]]], reason: str
) -> None:
    metrics = compared(*recordings)
    assert metrics.no_interval.startswith(reason)
    assert metrics.overall.error_low is None


def test_crossings_after_the_last_whole_minute_give_no_interval() -> None:
    metrics = compared((cars(185, 190), cars(185)), seconds=199)
    assert metrics.overall.error == -0.5
    assert metrics.overall.error_low is None
    assert metrics.no_interval.startswith("lines were crossed after the last whole minute only")


def test_nothing_true_has_no_error() -> None:
    overall = compared(([], cars(1))).overall
    assert (overall.true, overall.counted, overall.error, overall.recall) == (0, 1, None, None)
    assert overall.precision is not None
    assert overall.precision.value == 0


def test_bins_are_those_of_the_clock_and_say_what_was_observed() -> None:
    observed = seen(130, 10, datetime(2024, 5, 1, 7, 59, 30, tzinfo=UTC))
    metrics = compare_counts(
        {"a": crossings(cars(15, 29.9, 30, 100))},
        {"a": crossings(cars(15, 31, 32, 100))},
        {"a": observed},
        CLASSES,
        CountProtocol(bins_min=(1,)),
    )
    rows = [(row.bin_start_s, row.observed_s, row.true, row.counted) for row in metrics.bins]
    assert rows == [(-30, 20, 2, 1), (30, 60, 1, 2), (90, 40, 1, 1)]
    assert metrics.bin_errors[0] == BinErrors(
        bin_min=1,
        mean_absolute_error=2 / 3,
        num_bins=3,
        mean_relative_error=0.5,
        num_relative=3,
    )


def test_crossing_at_the_end_of_the_last_window_belongs_to_the_last_bin() -> None:
    metrics = compared((cars(60), cars(60)))
    assert [(row.bin_start_s, row.true, row.counted) for row in metrics.bins] == [(0, 1, 1)]


def test_geh_is_of_quarters_of_an_hour_observed_whole() -> None:
    # 100 and 120 an hour: GEH 1.9; in the other direction 4 and 40: GEH 7.7.
    steps = np.linspace(1, 899, 30)
    true = cars(*steps[:25]) + cars(5, direction="out")
    found = cars(*steps) + cars(*range(5, 15), direction="out")
    whole = compared((true, found), seconds=900, bins_min=(15,)).bin_errors[0]
    assert (whole.num_geh, whole.geh_below_5) == (2, 0.5)
    values = [np.sqrt(2 * 20**2 / 220), np.sqrt(2 * 36**2 / 44)]
    assert whole.mean_geh == pytest.approx(np.mean(values))
    part = compared((true, found), seconds=899.9, bins_min=(15,)).bin_errors[0]
    assert (part.num_bins, part.num_geh, part.geh_below_5) == (2, 0, None)


def test_names_are_those_of_mlflow() -> None:
    one = (cars(1, 2), cars(1, 2, 9))
    flat = flatten_count_metrics(compared(one, names=("test_night_1",)))
    assert flat["test/grid/count_recall"] == 1
    assert flat["test/grid/count_error"] == 0.5
    assert flat["test/grid/night/count_precision"] == pytest.approx(2 / 3)
    assert flat["test/grid/car/count_error"] == 0.5
    assert flat["test/grid/count_error_per_1_min"] == 1
    assert not any("low" in name or "geh" in name for name in flat)


def test_result_survives_its_file() -> None:
    metrics = compared((cars(1, 5), cars(1)), (cars(3), cars(3)), (cars(4), cars(4, 9)))
    assert CountMetrics.model_validate_json(metrics.model_dump_json()) == metrics


def test_other_recordings_are_named() -> None:
    with pytest.raises(ValueError, match="missing for 1 recording: b; give"):
        compare_counts(
            {"a": crossings([])}, {"a": crossings([])}, {"a": seen(1), "b": seen(1)}, CLASSES,
            CountProtocol(),
        )  # fmt: skip
    with pytest.raises(ValueError, match="no recordings"):
        compare_counts({}, {}, {}, CLASSES, CountProtocol())


def test_difference_is_paired_by_recording() -> None:
    """Recordings differ much, both counts little: only the latter widens the interval."""
    true = [cars(*range(0, stop, 2)) for stop in (20, 24, 30, 36, 40, 44)]
    much = [each[: len(each) - lost] for each, lost in zip(true, (9, 1, 9, 1, 9, 1), strict=True)]
    less = [each[:-1] for each in much]
    before = compared(*zip(true, much, strict=True))
    after = compared(*zip(true, less, strict=True))
    found = compare_count_metrics(before, after)
    error = found["error"]
    assert error.difference == pytest.approx(-6 / 97)
    assert error.low is not None
    assert error.low < error.difference < (error.high or 0) < 0
    width = (before.overall.error_high or 0) - (before.overall.error_low or 0)
    assert (error.high or 0) - error.low < width / 5
    assert found["recall"].num_units == 6
    assert (found["precision"].difference, found["precision"].low) == (0, None)


def test_counts_of_other_traffic_are_not_compared() -> None:
    one, other = compared((cars(1), cars(1))), compared((cars(1, 2), cars(1)))
    with pytest.raises(ProtocolError, match="other true crossings cannot be compared"):
        compare_count_metrics(one, other)

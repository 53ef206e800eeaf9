"""Intervals cover what they claim, and are left out where the recordings cannot tell."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from benchmarks.coverage import simulate
from scipy import stats

from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation import compare
from etram_pipeline.evaluation.intervals import Source, find_intervals, spread, with_intervals
from etram_pipeline.evaluation.matches import Matches
from etram_pipeline.evaluation.result import Metrics, flatten_metrics
from etram_pipeline.evaluation.scoring import evaluate_with_matches
from etram_pipeline.evaluation.settings import EvaluateSettings

Make = Callable[..., Any]


@pytest.fixture
def found(random_tables: Make) -> Callable[..., tuple[Metrics, Matches]]:
    """Metrics and matches of random tables."""

    def make(num_recordings: int = 6, seed: int = 0) -> tuple[Metrics, Matches]:
        labels, detections = random_tables(seed, num_recordings=num_recordings)
        return evaluate_with_matches(labels, detections, "coco")

    return make


@pytest.mark.slow
def test_intervals_cover_the_true_difference_in_93_to_97_of_100_pairs() -> None:
    shares = simulate(num_pairs=400, num_recordings=30, num_seeds=1)
    assert 0.93 <= shares["difference"] <= 0.97


@pytest.mark.parametrize("number", [2, 5, 30])
def test_the_spread_of_a_mean_is_that_of_the_t_test(number: int) -> None:
    rng = np.random.default_rng(0)
    observed = rng.normal(size=number)
    draws = rng.choice(observed, (40_000, number)).mean(axis=1)
    low, high = spread([Source(draws, number)], level=0.95)
    half = stats.t.ppf(0.975, number - 1) * observed.std(ddof=1) / np.sqrt(number)
    # Few observations have a distribution of means that is not normal.
    assert (high - low) / 2 == pytest.approx(half, rel=0.02 if number > 2 else 0.5)


def test_the_value_of_an_interval_is_that_of_the_evaluation(
    found: Callable[..., tuple[Metrics, Matches]],
) -> None:
    metrics, matches = found()
    intervals = find_intervals(matches)
    for name in ("AP", "AP_50", "AR_100", "AP_M"):
        assert intervals[name].value == pytest.approx(metrics.overall[name], abs=1e-12)
        assert 0 <= intervals[name].low < intervals[name].value < intervals[name].high <= 1
    assert intervals["night/AP"].value == pytest.approx(metrics.groups["night"]["AP"], abs=1e-12)
    assert "class_0/AP_50" in intervals


def test_intervals_are_the_same_every_time(
    found: Callable[..., tuple[Metrics, Matches]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, matches = found()
    first = find_intervals(matches)
    monkeypatch.setattr("etram_pipeline.evaluation.resampling.num_cores", lambda: 7)
    assert find_intervals(matches) == first


def test_a_single_recording_has_no_interval_and_the_reason_is_told(
    found: Callable[..., tuple[Metrics, Matches]],
) -> None:
    metrics = with_intervals(*found(num_recordings=1))
    assert metrics.intervals == {}
    assert "a single recording" in metrics.no_intervals


def test_a_group_of_a_single_recording_has_no_interval(
    found: Callable[..., tuple[Metrics, Matches]],
) -> None:
    intervals = find_intervals(found(num_recordings=3)[1])
    assert "night/AP" in intervals
    assert "day/AP" not in intervals


def test_intervals_are_logged_for_overall_headline_values(
    found: Callable[..., tuple[Metrics, Matches]],
) -> None:
    metrics = with_intervals(*found())
    flat = flatten_metrics(metrics)
    ends = {name for name in flat if name.endswith(("_low", "_high"))}
    assert ends == {
        f"test/coco/{name}_{end}" for name in ("AP", "AP_50") for end in ("low", "high")
    }
    assert flat["test/coco/AP_low"] == metrics.intervals["AP"].low
    assert "AP_low" not in compare(metrics, metrics)
    found_interval = metrics.interval_of("AP_50", class_name="class_1")
    assert found_interval == metrics.intervals["class_1/AP_50"]
    assert metrics.interval_of("AP", group="day") == metrics.intervals["day/AP"]
    assert Metrics.model_validate_json(metrics.model_dump_json()) == metrics


def test_metrics_without_intervals_are_stored_as_before(
    found: Callable[..., tuple[Metrics, Matches]],
) -> None:
    metrics = found()[0].model_copy(update={"ground_truth": ""})
    stored = json.loads(metrics.model_dump_json())
    assert {"intervals", "interval_level", "no_intervals", "ground_truth"}.isdisjoint(stored)


def test_intervals_can_be_switched_off(found: Callable[..., tuple[Metrics, Matches]]) -> None:
    metrics = with_intervals(*found(), rounds=0)
    assert metrics.intervals == {}
    assert "rounds is 0" in metrics.no_intervals
    assert "intervals" not in EvaluateSettings().model_dump()


def test_results_on_other_labels_are_not_compared(
    found: Callable[..., tuple[Metrics, Matches]],
) -> None:
    metrics, _ = found()
    other = metrics.model_copy(update={"ground_truth": "another"})
    with pytest.raises(ProtocolError, match="labels differ in time, box or class"):
        compare(metrics, other)
    unknown = metrics.model_copy(update={"ground_truth": ""})
    assert compare(metrics, unknown)["AP"] == 0


def test_labels_are_recognised_in_any_order(random_tables: Make) -> None:
    labels, detections = random_tables(0)
    one, _ = evaluate_with_matches(labels, detections, "coco")
    shuffled = {name: labels[name][::-1] for name in reversed(labels)}
    assert evaluate_with_matches(shuffled, detections, "coco")[0].ground_truth == one.ground_truth
    moved = {name: table.copy() for name, table in labels.items()}
    next(iter(moved.values()))["x"][3] += 1
    assert evaluate_with_matches(moved, detections, "coco")[0].ground_truth != one.ground_truth

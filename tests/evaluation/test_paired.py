"""Differences between two detectors, and what must not be compared."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation.intervals import find_intervals
from etram_pipeline.evaluation.matches import Matches
from etram_pipeline.evaluation.paired import compare_matches, draw_seeds, find_mean_intervals
from etram_pipeline.evaluation.protocols import resolve_protocol
from etram_pipeline.evaluation.scoring import evaluate_with_matches

Make = Callable[..., Any]


@pytest.fixture
def found(random_tables: Make) -> Callable[..., Matches]:
    """Matches of random tables, of which only every `step`-th detection is kept."""

    def make(seed: int = 0, step: int = 1, protocol: str = "coco", **changes: int) -> Matches:
        labels, detections = random_tables(seed, **{"num_recordings": 12, **changes})
        fewer = {name: table[::step] for name, table in detections.items()}
        return evaluate_with_matches(labels, fewer, protocol)[1]

    return make


def test_a_detector_with_half_the_detections_is_worse(found: Callable[..., Matches]) -> None:
    differences = compare_matches([found(step=2)], [found()])
    overall = differences["AP"]
    assert overall.difference == overall.after - overall.before > 0
    assert overall.low is not None
    assert 0 < overall.low < overall.difference < (overall.high or 0)
    assert (overall.verdict, overall.share_better) == ("improved", 1)
    assert (overall.num_labels, overall.num_recordings) == (12 * 60, 12)
    assert "both sides are a single run" in overall.caution
    back = compare_matches([found()], [found(step=2)])["AP"]
    assert (back.verdict, back.share_better) == ("degraded", 0)
    assert back.difference == -overall.difference
    assert {"AP_50", "AP_S", "day/AP", "night/AP_50", "class_1/AP"} <= set(differences)


def test_the_same_detections_do_not_differ(found: Callable[..., Matches]) -> None:
    for difference in compare_matches([found()], [found()]).values():
        assert (difference.low, difference.difference, difference.high) == (0, 0, 0)
        assert (difference.verdict, difference.share_better) == ("undecided", 0.5)


def test_what_one_side_or_one_seed_lacks_is_left_out(found: Callable[..., Matches]) -> None:
    without = found()
    counts = np.ones((len(without.class_names) + 1, len(without.recordings), 3), np.int64)
    having = replace(without, operating=counts)
    assert "operating/F1" in compare_matches([having], [having], rounds=10)
    plain = compare_matches([without], [without], rounds=10)
    for before, after in (([without], [having]), ([having], [without])):
        assert compare_matches(before, after, rounds=10) == plain
    seeds = [having, without], [without, having]
    for before, after in (seeds, ([having], seeds[0]), (seeds[1], [having])):
        differences = compare_matches(before, after, rounds=10)
        assert "AP" in differences
        assert not [name for name in differences if "operating" in name or name.endswith("F1")]


def test_a_single_recording_gives_no_interval(found: Callable[..., Matches]) -> None:
    one = {"num_recordings": 1}
    difference = compare_matches([found(step=2, **one)], [found(**one)])["AP"]
    assert difference.difference > 0
    assert (difference.low, difference.high, difference.share_better) == (None, None, None)
    assert difference.verdict == "undecided"
    assert "a single recording" in difference.caution


def test_a_difference_without_spread_has_no_interval(random_tables: Make) -> None:
    labels, detections = random_tables(0, num_recordings=2)
    nothing = {name: table[:0] for name, table in detections.items()}
    right = {}
    for name, table in labels.items():
        right[name] = np.zeros(len(table), detections[name].dtype)
        for column in ("t", "x", "y", "w", "h", "class_id"):
            right[name][column] = table[column]
        right[name]["score"] = 0.9
    sides = [evaluate_with_matches(labels, each, "coco")[1] for each in (nothing, right)]
    difference = compare_matches(sides[:1], sides[1:])["AP"]
    assert difference.difference == 1
    assert (difference.low, difference.high, difference.verdict) == (None, None, "undecided")
    assert difference.caution.startswith("the difference is the same in every draw")


def test_seeds_that_differ_widen_the_interval(found: Callable[..., Matches]) -> None:
    def width(before: list[Matches], after: list[Matches]) -> float:
        difference = compare_matches(before, after)["AP"]
        assert difference.low is not None
        assert difference.high is not None
        return difference.high - difference.low

    steps = [found(step=step) for step in (2, 3, 5)]
    same = [found(step=3)] * 3
    assert width(same, same[:1]) == pytest.approx(0)
    assert width(same, steps) > 2 * width(same, [steps[1]])
    assert compare_matches(same, steps)["AP"].caution == ""
    assert "the new side is a single run" in compare_matches(same, steps[:1])["AP"].caution
    mean = np.mean([compare_matches(same[:1], [each])["AP"].after for each in steps])
    assert compare_matches(same, steps)["AP"].after == pytest.approx(mean)


def test_the_order_of_recordings_does_not_matter(random_tables: Make) -> None:
    labels, detections = random_tables(0, num_recordings=6)
    backwards = {name: labels[name] for name in reversed(labels)}
    fewer = {name: table[::2] for name, table in detections.items()}
    before = [evaluate_with_matches(labels, fewer, "coco")[1]]
    one = evaluate_with_matches(labels, detections, "coco")[1]
    other = evaluate_with_matches(backwards, detections, "coco")[1]
    assert one.recordings != other.recordings
    assert compare_matches(before, [other])["AP"].low == pytest.approx(
        compare_matches(before, [one])["AP"].low
    )


def test_what_differs_is_refused_and_named(found: Callable[..., Matches]) -> None:
    matches = found()
    strict = resolve_protocol({"like": "coco", "name": "strict", "min_side_px": 9})
    for other, complaint in (
        (replace(matches, protocol=strict), "protocol 'coco' .* 'strict'.* min_side_px 0.* 9"),
        (replace(matches, split="val"), "split test .* val: set evaluate.split"),
        (replace(matches, recordings=(*matches.recordings, "more")), "only one side has more"),
        (replace(matches, class_names=("a",)), "classes"),
        (found(seed=1), "labels of fingerprint"),
    ):
        with pytest.raises(ProtocolError, match=complaint):
            compare_matches([matches], [other])


def test_a_side_without_seeds_is_refused(found: Callable[..., Matches]) -> None:
    with pytest.raises(ValueError, match="at least one seed"):
        compare_matches([], [found()])


def test_the_interval_of_a_single_seed_is_that_of_its_evaluation(
    found: Callable[..., Matches],
) -> None:
    matches = found(num_recordings=4)
    mean = find_mean_intervals(draw_seeds([matches], 100))
    assert mean == find_intervals(matches, 100)


def test_the_mean_over_seeds_has_a_wider_interval_if_they_differ(
    found: Callable[..., Matches],
) -> None:
    seeds = [found(step=step) for step in (1, 3)]
    mean = find_mean_intervals(draw_seeds(seeds, 100))["AP"]
    single = [find_intervals(each, 100)["AP"] for each in seeds]
    assert mean.value == pytest.approx(np.mean([each.value for each in single]))
    assert mean.high - mean.low > max(each.high - each.low for each in single)

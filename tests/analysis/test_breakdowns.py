"""Recall and average precision of bins, by hand and by evaluations of parts alone."""

import logging
from collections.abc import Callable

import numpy as np
import pytest
from tests.analysis.conftest import compare_recordings, random_evidence

from etram_pipeline.analysis.attributes import (
    LabelledRecording,
    border_distance,
    moving_time,
    speed,
)
from etram_pipeline.analysis.breakdowns import BinScore, Breakdown, flatten_scores
from etram_pipeline.analysis.errors import judge_evidence
from etram_pipeline.evaluation import evaluate
from etram_pipeline.evaluation.evidence import Evidence


def recordings_of(evidence: Evidence) -> dict[str, LabelledRecording]:
    """What attributes are measured from, on a sensor of 500 x 800 px."""
    return {name: LabelledRecording(evidence.labels[name], 500, 800) for name in evidence.labels}


def scores_of(evidence: Evidence, *attributes: object, **choices: object) -> list[BinScore]:
    breakdown = Breakdown(evidence, judge_evidence(evidence), **choices)  # type: ignore[arg-type]
    return list(breakdown.scores(recordings_of(evidence), attributes))  # type: ignore[arg-type]


def test_recall_is_the_share_of_the_labels_of_a_bin_that_are_found(
    compare: Callable[..., Evidence],
) -> None:
    labels = [
        *((time, 50, 50, 40, 40, 0, 1) for time in (0, 100_000)),  # stands
        *((time, 200 + time / 1000, 50, 40, 40, 1, 2) for time in (0, 100_000)),  # 1000 px/s
    ]
    found = [(0, 50, 50, 40, 40, 0, 0.9), (0, 200, 50, 40, 40, 1, 0.3), (0, 0, 0, 9, 9, 1, 0.95)]
    evidence = compare(labels, found)
    by_bin = {each.bin: each for each in scores_of(evidence, speed.ATTRIBUTE)}
    assert (by_bin["under 10"].num_labels, by_bin["under 10"].recall) == (2, 0.5)
    assert (by_bin["from 10"].num_labels, by_bin["from 10"].recall) == (2, 0.5)
    strict = {each.bin: each.recall for each in scores_of(evidence, speed.ATTRIBUTE, score=0.5)}
    assert (strict["under 10"], strict["from 10"]) == (0.5, 0)
    assert np.isnan(by_bin["under 10"].average_precision)  # what is wrong has no speed


def test_a_wrong_detection_counts_against_the_bin_that_it_lies_in(
    compare: Callable[..., Evidence],
) -> None:
    labels = [(0, 0, 50, 40, 40, 0), (0, 300, 200, 40, 40, 0)]
    found = [
        (0, 300, 200, 40, 40, 0, 0.9),
        (0, 0, 300, 40, 40, 0, 0.8),  # wrong, and at the border
        (0, 0, 50, 40, 40, 0, 0.7),
    ]
    scores = scores_of(compare(labels, found), border_distance.ATTRIBUTE)
    values = {each.bin: each.average_precision for each in scores}
    assert values["under 1"] == pytest.approx(0.5)
    assert values["from 1"] == pytest.approx(1)


def test_a_recording_has_the_average_precision_of_itself_alone() -> None:
    evidence = random_evidence(7)
    scores = {each.bin: each for each in scores_of(evidence)}
    assert list(scores) == list(evidence.recordings)
    for name, score in scores.items():
        alone = evaluate(
            {name: evidence.labels[name]},
            {name: evidence.detections[name]},
            evidence.protocol,
            evidence.class_names,
        )
        assert score.average_precision == pytest.approx(alone.overall["AP_50"], abs=1e-12)
        assert score.num_labels == alone.num_labels
        assert np.isnan([score.low, score.high]).all()  # one recording shows no spread


def test_labels_of_all_bins_are_all_labels_whose_value_is_known() -> None:
    evidence = random_evidence(8)
    scores = scores_of(evidence, border_distance.ATTRIBUTE)
    for attribute in ("border_distance", "recording"):
        mine = [each for each in scores if each.attribute == attribute]
        assert sum(each.num_labels for each in mine) == len(evidence.frames.labels)
        found = sum(each.recall * each.num_labels for each in mine)
        assert found == pytest.approx(judge_evidence(evidence).is_found.sum())


def test_intervals_hold_the_recall_and_show_how_recordings_differ() -> None:
    right = (0, 300, 200, 40, 40, 0, 0.9)
    label = (0, 300, 200, 40, 40, 0)
    evidence = compare_recordings(
        {f"test/{number}": ([label], [right] if number % 2 else []) for number in range(6)}
    )
    (inside,) = [
        each
        for each in scores_of(evidence, border_distance.ATTRIBUTE)
        if each.attribute == "border_distance"
    ]
    assert inside.low < inside.recall == 0.5 < inside.high
    without = scores_of(evidence, border_distance.ATTRIBUTE, rounds=0)
    assert np.isnan([without[0].low, without[0].high]).all()


def test_an_attribute_that_is_not_known_is_left_out_and_the_log_says_why(
    compare: Callable[..., Evidence], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scores = scores_of(compare([(0, 0, 0, 9, 9, 0)], []), moving_time.ATTRIBUTE)
    assert [each.attribute for each in scores] == ["recording"]
    assert "no breakdown by time since it first moved: the labels have no track ids" in caplog.text


def test_metrics_have_attribute_and_bin_in_their_names_and_no_recordings() -> None:
    evidence = random_evidence(9)
    flat = flatten_scores(scores_of(evidence, border_distance.ATTRIBUTE), "test", "small")
    assert {name.rsplit("/", 1)[1] for name in flat} == {"recall", "AP"}
    assert "test/small/breakdowns/border_distance/under 1/recall" in flat
    assert not [name for name in flat if "/recording/" in name]

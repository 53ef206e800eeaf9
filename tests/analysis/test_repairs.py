"""Average precision after repairs: by hand, by slow definitions, and by TIDE's own code."""

from collections.abc import Callable

import pytest
from tests.analysis.conftest import random_evidence

from etram_pipeline.analysis.errors import find_mistakes, judge_evidence
from etram_pipeline.analysis.judgement import KINDS
from etram_pipeline.analysis.repairs import Precision, mistakes_of
from etram_pipeline.evaluation import evaluate
from etram_pipeline.evaluation.evidence import Evidence

CAR = (100, 0, 0, 40, 40, 0)


def gains(evidence: Evidence) -> dict[str, float]:
    """What repairing each kind adds to the mean average precision, where it adds anything."""
    precision = Precision.of(judge_evidence(evidence))
    now = precision.overall(precision.as_it_is)
    found = {
        kind: precision.overall(precision.repaired(*mistakes_of(precision.judgement, kind))) - now
        for kind in KINDS
    }
    return {kind: gain for kind, gain in found.items() if gain}


def test_repairing_the_class_makes_one_detection_right_and_leaves_the_other_class_clean(
    compare: Callable[..., Evidence],
) -> None:
    labels = [CAR, (100, 100, 0, 40, 40, 1)]
    found = [(100, 0, 0, 40, 40, 1, 0.9), (100, 100, 0, 40, 40, 1, 0.8)]
    # Of trams, precision is 1/2 at every recall and becomes 1; of cars, it rises from 0 to 1.
    assert gains(compare(labels, found)) == {"class": pytest.approx(0.75)}


def test_repairing_the_place_makes_the_best_detection_right_and_takes_the_others_away(
    compare: Callable[..., Evidence],
) -> None:
    found = [(100, 0, 0, 40, 10, 0, 0.9), (100, 0, 0, 40, 8, 0, 0.8)]
    assert gains(compare([CAR], found)) == {"location": pytest.approx(1)}


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ((100, 0, 0, 40, 39, 0, 0.95), "duplicate"),
        ((100, 300, 0, 40, 40, 0, 0.95), "background"),
    ],
)
def test_taking_away_a_detection_before_the_right_one_restores_its_precision(
    compare: Callable[..., Evidence], wrong: tuple[float, ...], kind: str
) -> None:
    found = [wrong, (100, 0, 0, 40, 40, 0, 0.9), (100, 100, 0, 40, 40, 0, 0.8)]
    labels = [CAR, (100, 100, 0, 40, 40, 0)]
    if kind == "duplicate":  # the first two are of one object: one right, one wrong, then one right
        assert gains(compare(labels, found)) == {
            kind: pytest.approx((51 + 50 * 1 - 51 - 50 * 2 / 3) / 101)
        }
    else:
        assert gains(compare(labels, found)) == {kind: pytest.approx(1 / 3)}


def test_without_missed_labels_recall_reaches_the_end(compare: Callable[..., Evidence]) -> None:
    labels = [CAR, (200, 0, 0, 40, 40, 0)]
    # One of two found: recall 0 to 0.5 has precision 1, which are 51 of 101 recalls.
    assert gains(compare(labels, [(100, 0, 0, 40, 40, 0, 0.9)])) == {
        "missed": pytest.approx(50 / 101)
    }


def test_a_class_without_labels_left_is_perfect_unless_something_was_detected(
    compare: Callable[..., Evidence],
) -> None:
    assert gains(compare([CAR], [])) == {"missed": 1}
    assert gains(compare([CAR], [(100, 300, 0, 9, 9, 0, 0.5)])) == {}


def test_average_precision_as_it_is_is_that_of_the_evaluation() -> None:
    evidence = random_evidence(4)
    precision = Precision.of(judge_evidence(evidence))
    metrics = evaluate(
        evidence.labels, evidence.detections, evidence.protocol, evidence.class_names
    )
    assert precision.overall(precision.as_it_is) == pytest.approx(
        metrics.overall["AP_50"], abs=1e-12
    )
    for class_id, name in enumerate(evidence.class_names):
        assert precision.as_it_is[class_id] == pytest.approx(
            metrics.per_class[name].metrics["AP_50"], abs=1e-12
        )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_costs_add_up_to_what_repairing_their_kind_gains(seed: int) -> None:
    evidence = random_evidence(seed)
    mistakes = find_mistakes(evidence, judge_evidence(evidence))
    assert (mistakes.costs >= 0).all()
    found = {
        kind: mistakes.costs[mistakes.kinds == number].sum() for number, kind in enumerate(KINDS)
    }
    expected = gains(evidence)
    assert found == {kind: pytest.approx(expected.get(kind, 0), abs=1e-12) for kind in KINDS}


def test_a_false_detection_costs_more_the_more_right_ones_follow(
    compare: Callable[..., Evidence],
) -> None:
    labels = [(time, 0, 0, 40, 40, 0) for time in (100, 200, 300, 400)]
    right = [(time, 0, 0, 40, 40, 0, 0.9 - time / 1000) for time in (100, 200, 300, 400)]
    wrong = [(100, 300, 0, 40, 40, 0, score) for score in (0.95, 0.65, 0.1)]
    evidence = compare(labels, right + wrong)
    costs = find_mistakes(evidence, judge_evidence(evidence)).costs
    assert costs[0] > costs[1] > costs[2] == 0


def test_equal_scores_count_as_the_protocol_says() -> None:
    evidence = random_evidence(6, num_scores=9, ties="together")
    judgement = judge_evidence(evidence)
    metrics = evaluate(
        evidence.labels, evidence.detections, evidence.protocol, evidence.class_names
    )
    precision = Precision.of(judgement)
    assert precision.overall(precision.as_it_is) == pytest.approx(
        metrics.overall["AP_50"], abs=1e-12
    )

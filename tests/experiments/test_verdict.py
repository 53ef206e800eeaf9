"""Verdicts on the hypotheses of experiments."""

import pytest
from tests.experiments.conftest import NUM_RECORDINGS, evaluated
from tests.reports.comparisons import BETTER, NO_INTERVAL, UNCLEAR, WORSE, difference

from etram_pipeline.evaluation.matches import Matches
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.experiments.definition import Experiment, Success
from etram_pipeline.experiments.verdict import judge_differences, judge_matches
from etram_pipeline.reports.comparison import Judgement

SUCCESS = Success(better_than="base", protocol="etram_8class")


def matches(missed: float, seeds: int = 2) -> list[Matches]:
    """Of a detector that misses a share of all objects, one for each seed."""
    return [evaluated(missed, seed)["etram_8class"][1] for seed in range(seeds)]


def test_a_clear_improvement_confirms_the_hypothesis() -> None:
    verdict = judge_matches(SUCCESS, matches(0.5), matches(0.1))
    assert verdict.outcome == "confirmed"
    assert verdict.difference is not None
    assert verdict.difference.low is not None
    assert verdict.difference.low > 0
    assert f"{verdict.difference.difference:+.3f}" in verdict.reason
    assert f"2 seeds against 2, {NUM_RECORDINGS} recordings" in verdict.reason


def test_a_clear_loss_refutes_it() -> None:
    assert judge_matches(SUCCESS, matches(0.1), matches(0.5)).outcome == "refuted"


def test_no_difference_decides_nothing() -> None:
    assert judge_matches(SUCCESS, matches(0.3), matches(0.3)).outcome == "undecided"


def test_an_improvement_that_is_too_small_refutes_it() -> None:
    wanted = Success(better_than="base", protocol="etram_8class", by=0.9)
    verdict = judge_matches(wanted, matches(0.5), matches(0.1))
    assert verdict.outcome == "refuted"
    assert verdict.reason.count("asks for at least 0.9") == 1


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ([], ["x"], "No run of base has finished"),
        (["x"], [], "No run of this experiment has finished"),
    ],
)
def test_without_results_it_stays_open(before: list[str], after: list[str], reason: str) -> None:
    found = matches(0.3, 1)
    verdict = judge_matches(SUCCESS, found * len(before), found * len(after))
    assert (verdict.outcome, verdict.difference) == ("undecided", None)
    assert verdict.reason.startswith(reason)


def test_results_of_another_protocol_are_not_compared() -> None:
    coco = [evaluated(0.1, 0)["coco"][1]]
    verdict = judge_matches(SUCCESS, matches(0.5, 1), coco)
    assert verdict.outcome == "undecided"
    assert verdict.reason.startswith("The results cannot be compared: ")


def judged(fields: dict[str, object], **success: object) -> Judgement:
    given = {"better_than": "baseline", **success}
    experiment = Experiment.model_validate({"hypothesis": "it helps", "success": given})
    found = {name: difference(0.02, **fields) for name in ("AP", "car/AP")}
    return judge_differences(experiment, "baseline", Protocol(name="coco"), found)


@pytest.mark.parametrize(
    ("fields", "by", "outcome"),
    [
        (BETTER, 0.0, "confirmed"),
        (BETTER, 0.004, "confirmed"),
        (BETTER, 0.01, "undecided"),
        (BETTER, 0.06, "refuted"),
        (WORSE, 0.0, "refuted"),
        (UNCLEAR, 0.0, "undecided"),
        (UNCLEAR, 0.05, "refuted"),
        (NO_INTERVAL, 0.0, "undecided"),
    ],
)
def test_a_criterion_is_met_if_the_whole_interval_reaches_it(
    fields: dict[str, object], by: float, outcome: str
) -> None:
    assert judged(fields, by=by).outcome == outcome


def test_the_value_of_the_criterion_decides() -> None:
    found = judged(BETTER, metric="car/AP", by=0.01)
    assert found.metric == "car/AP"
    assert found.criterion == "car/AP at least 0.01 better than that of baseline"


@pytest.mark.parametrize("changes", [{"metric": "bus/AP"}, {"protocol": "etram_8class"}])
def test_a_criterion_about_something_else_is_not_judged(changes: dict[str, str]) -> None:
    found = judged(BETTER, **changes)
    assert (found.metric, found.verdict, found.outcome) == ("AP", "improved", "not judged")
    assert found.criterion


def test_a_criterion_about_another_baseline_does_not_count() -> None:
    found = judged(BETTER, better_than="another", metric="car/AP")
    assert (found.metric, found.criterion, found.outcome) == ("AP", "", "not judged")


def test_a_single_run_is_judged_by_the_headline_value() -> None:
    found = {"AP": difference(-0.02, **WORSE)}
    assert judge_differences(None, "baseline", Protocol(name="coco"), found).verdict == "degraded"

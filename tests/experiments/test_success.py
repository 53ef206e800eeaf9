"""Verdicts on experiments that are compared with a baseline."""

import pytest
from tests.reports.comparisons import BETTER, NO_INTERVAL, UNCLEAR, WORSE, difference

from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.experiments.definition import Experiment
from etram_pipeline.experiments.success import judge
from etram_pipeline.reports.comparison import Judgement


def judged(fields: dict[str, object], **success: object) -> Judgement:
    given = {"better_than": "baseline", **success}
    experiment = Experiment.model_validate({"hypothesis": "it helps", "success": given})
    found = {name: difference(0.02, **fields) for name in ("AP", "car/AP")}
    return judge(experiment, "baseline", Protocol(name="coco"), found)


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
    assert judge(None, "baseline", Protocol(name="coco"), found).verdict == "degraded"

import pytest
from tests.experiments.conftest import NUM_RECORDINGS, evaluated

from etram_pipeline.evaluation.matches import Matches
from etram_pipeline.experiments.definition import Success
from etram_pipeline.experiments.verdict import judge

SUCCESS = Success(better_than="base", protocol="etram_8class")


def matches(missed: float, seeds: int = 2) -> list[Matches]:
    """Of a detector that misses a share of all objects, one for each seed."""
    return [evaluated(missed, seed)["etram_8class"][1] for seed in range(seeds)]


def test_a_clear_improvement_confirms_the_hypothesis() -> None:
    verdict = judge(SUCCESS, matches(0.5), matches(0.1))
    assert verdict.outcome == "confirmed"
    assert verdict.difference is not None
    assert verdict.difference.low is not None
    assert verdict.difference.low > 0
    assert f"{verdict.difference.difference:+.3f}" in verdict.reason
    assert f"2 seeds against 2, {NUM_RECORDINGS} recordings" in verdict.reason


def test_a_clear_loss_refutes_it() -> None:
    assert judge(SUCCESS, matches(0.1), matches(0.5)).outcome == "refuted"


def test_no_difference_decides_nothing() -> None:
    assert judge(SUCCESS, matches(0.3), matches(0.3)).outcome == "undecided"


def test_an_improvement_that_is_too_small_refutes_it() -> None:
    wanted = Success(better_than="base", protocol="etram_8class", by=0.9)
    verdict = judge(wanted, matches(0.5), matches(0.1))
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
    verdict = judge(SUCCESS, found * len(before), found * len(after))
    assert (verdict.outcome, verdict.difference) == ("undecided", None)
    assert verdict.reason.startswith(reason)


def test_results_on_other_labels_are_not_compared() -> None:
    coco = [evaluated(0.1, 0)["coco"][1]]
    verdict = judge(SUCCESS, matches(0.5, 1), coco)
    assert verdict.outcome == "undecided"
    assert verdict.reason.startswith("The results cannot be compared: ")

"""Differences in words."""

import pytest
from tests.reports.comparisons import NO_INTERVAL, comparison, difference, side

from etram_pipeline.reports.comparison import Judgement
from etram_pipeline.reports.comparison_wording import (
    general_facts,
    interval_text,
    judgement_facts,
    left_out_facts,
    signed_text,
    verdict_sentence,
)
from etram_pipeline.reports.wording import ABSENT


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0141, "+0.014"),
        (-0.01, f"{ABSENT}0.010"),
        (0.0, "0.000"),
        (0.00021, "+0.00021"),
        (-1e-9, "0.000"),
    ],
)
def test_a_difference_has_a_sign_which_rounding_does_not_hide(value: float, text: str) -> None:
    assert signed_text(value) == text


def test_a_missing_interval_is_named() -> None:
    assert interval_text(None, None) == "no interval"
    assert interval_text(-0.01, 0.04) == "−0.010 … +0.040"  # noqa: RUF001


def test_the_verdict_is_one_sentence_with_values_interval_and_evidence() -> None:
    assert verdict_sentence(comparison(), 0) == (
        "AP 0.500 → 0.520, difference +0.020, 95 % interval −0.010 … +0.040 over 12 recordings "  # noqa: RUF001
        "and 3 seeds each: undecided."
    )


def test_sides_with_different_numbers_of_seeds_are_told_apart() -> None:
    sentence = verdict_sentence(comparison(side("other", num_runs=1)), 0)
    assert "3 seeds of baseline and 1 seed of other" in sentence


def test_no_seed_is_claimed_of_detections_from_elsewhere() -> None:
    foreign = side("foreign", num_runs=1)
    (run,) = (run.model_copy(update={"seed": None}) for run in foreign.runs)
    sentence = verdict_sentence(comparison(foreign.model_copy(update={"runs": (run,)})), 0)
    assert "3 seeds of baseline and 1 run of foreign" in sentence


def test_without_an_interval_nothing_is_claimed() -> None:
    found = {"AP": difference(0.3, **NO_INTERVAL)}
    one = comparison(differences=(found,), judgements=(Judgement(metric="AP"),), num_recordings=1)
    assert "difference +0.300, no interval over 1 recording" in verdict_sentence(one, 0)
    assert verdict_sentence(one, 0).endswith("undecided.")
    assert judgement_facts(one, 0) == ("All labels are in one.",)
    assert "no verdict is possible" in general_facts(one)[-1]


def test_undecided_tells_what_would_have_been_seen() -> None:
    (fact,) = judgement_facts(comparison(), 0)
    assert "Undecided does not mean equal: only a difference of about 0.025 or more" in fact


def test_equal_detections_are_suspected() -> None:
    same = Judgement(metric="AP", low=0.0, high=0.0)
    (fact,) = judgement_facts(comparison(judgements=(same,)), 0)
    assert "detections are probably the same" in fact


def test_the_criterion_of_success_and_its_result_are_told() -> None:
    judgement = Judgement(metric="AP", criterion="AP better than that of a", outcome="refuted")
    facts = judgement_facts(comparison(judgements=(judgement,)), 0)
    assert facts[0] == "The hypothesis is refuted; it asks for AP better than that of a."


def test_several_sides_are_judged_by_wider_intervals() -> None:
    facts = judgement_facts(comparison(side("one"), side("two")), 1)
    assert "the wider interval −0.010 … +0.040" in facts[0]  # noqa: RUF001
    assert "all 2 comparisons with baseline" in facts[0]


def test_the_number_of_differences_and_false_alarms_are_told() -> None:
    (_, chance) = general_facts(comparison())
    assert "This page shows 5 differences." in chance
    assert "about 1 in 20 intervals excludes 0 by chance." in chance
    sides = [side(f"side {number}") for number in range(8)]
    assert "excludes 0 by chance, which is 2 of 40." in general_facts(comparison(*sides))[1]


def test_few_recordings_are_a_reason_to_doubt() -> None:
    assert len(general_facts(comparison(num_recordings=10))) == 2
    assert "9 recordings are few" in general_facts(comparison(num_recordings=9))[-1]


def test_runs_that_are_left_out_are_named_with_their_side() -> None:
    one = comparison(side("other", left_out=("seed 2 is not finished, but running",)))
    assert left_out_facts(one.sides) == ("other: seed 2 is not finished, but running",)

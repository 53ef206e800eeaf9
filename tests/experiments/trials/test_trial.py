"""The best trials, over all times and within each."""

from hypothesis import given
from hypothesis import strategies as st
from tests.experiments.trials.conftest import MONITOR, trial

from etram_pipeline.experiments.trials.trial import Trial, front
from etram_pipeline.training.monitor import Monitor

TIMES_AND_SCORES = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 5)), max_size=12)


@given(TIMES_AND_SCORES)
def test_front_is_what_no_other_trial_equals_in_both_and_beats_in_one(
    found: list[tuple[int, int]],
) -> None:
    trials = [trial(number, score=float(score), ms=ms) for number, (ms, score) in enumerate(found)]

    def beats(other: tuple[int, int], own: tuple[int, int]) -> bool:
        return other != own and other[0] <= own[0] and other[1] >= own[1]

    best = sorted({own for own in found if not any(beats(other, own) for other in found)})
    assert [_place(each) for each in front(trials, MONITOR)] == best


def test_front_of_a_score_that_should_be_low() -> None:
    trials = [trial(0, score=0.5, ms=1), trial(1, score=0.7, ms=2), trial(2, score=0.3, ms=3)]
    assert [each.number for each in front(trials, Monitor("val/miss", "min"))] == [0, 2]


def test_front_has_only_trials_that_finished_and_were_measured() -> None:
    others = [
        trial(1, score=0.9),
        trial(2, "pruned", 0.9, ms=1),
        trial(3, "open", 0.9, ms=1),
        trial(4, "slow", ms=1),
    ]
    assert [each.number for each in front([trial(0, ms=5), *others], MONITOR)] == [0]


def _place(trial: Trial) -> tuple[int, int]:
    assert trial.cost is not None
    return round(trial.cost.ms_per_window), round(max((trial.scores or {}).values()))

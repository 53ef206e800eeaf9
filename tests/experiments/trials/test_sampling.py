"""What Optuna decides, from trials as MLflow describes them."""

import sys
from collections.abc import Mapping
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution
from optuna.samplers import TPESampler
from tests.experiments.trials.conftest import MONITOR, trial

from etram_pipeline.experiments.definition import SearchRange
from etram_pipeline.experiments.trials.sampling import as_study, importances, is_hopeless, suggest
from etram_pipeline.experiments.trials.trial import State, Trial, best_trial
from etram_pipeline.training.monitor import Monitor
from etram_pipeline.yaml_files import ConfigurationError

RANGES = {
    "rate": SearchRange(low=1e-5, high=1e-2, log=True),
    "decay": SearchRange(low=0.99, high=0.9999),
    "lanes": SearchRange(low=1, high=8),
    "width": SearchRange(low=16, high=64, step=16),
    "cell": SearchRange(choices=({"kind": "identity"}, "conv_lstm", [1, 2], None, True)),
}


def score_of(params: Mapping[str, Any]) -> float:
    return float(-abs(params["lanes"] - 5) - (0 if params["cell"] == "conv_lstm" else 3))


def searched(num_trials: int, monitor: Monitor = MONITOR) -> list[Trial]:
    """Trials one after another, each proposed from those before it."""
    trials: list[Trial] = []
    sign = 1 if monitor.mode == "max" else -1
    for number in range(num_trials):
        params = suggest(RANGES, trials, monitor)
        assert params is not None
        trials.append(trial(number, score=sign * score_of(params), **params))
    return trials


@pytest.fixture(scope="module")
def thirty() -> list[Trial]:
    return searched(30)


def test_values_are_in_their_ranges_and_of_their_types(thirty: list[Trial]) -> None:
    for each in thirty:
        assert 1e-5 <= each.params["rate"] <= 1e-2
        assert 0.99 <= each.params["decay"] <= 0.9999
        assert type(each.params["lanes"]) is int
        assert each.params["width"] in {16, 32, 48, 64}
        assert each.params["cell"] in (RANGES["cell"].choices or ())
    assert len({str(each.params["cell"]) for each in thirty}) == 5


def test_numbers_are_short_enough_to_type(thirty: list[Trial]) -> None:
    assert all(len(f"{each.params['rate']:g}") <= 9 for each in thirty)
    decays = {each.params["decay"] for each in thirty}
    assert len(decays) > 20  # digits count within the range, not from the front
    assert all(len(str(decay)) <= 9 for decay in decays)


def test_later_trials_are_better_than_random_ones(thirty: list[Trial]) -> None:
    scores = [each.best(MONITOR) or 0.0 for each in thirty]
    assert sum(scores[20:]) / 10 > sum(scores[:10]) / 10 + 1


def test_lower_is_better_for_errors() -> None:
    monitor = Monitor("val/x/error", "min")
    trials = searched(30, monitor)
    scores = [each.best(monitor) or 0.0 for each in trials]
    assert sum(scores[20:]) / 10 < sum(scores[:10]) / 10 - 1
    best = best_trial(trials, monitor)
    assert best is not None
    assert best.best(monitor) == min(scores)


def test_same_trials_lead_to_the_same_proposal(thirty: list[Trial]) -> None:
    assert suggest(RANGES, thirty[:12], MONITOR) == thirty[12].params


def test_no_values_are_proposed_twice() -> None:
    ranges = {"lanes": SearchRange(low=1, high=4)}
    trials: list[Trial] = []
    while (params := suggest(ranges, trials, MONITOR)) is not None:
        trials.append(trial(len(trials), score=float(params["lanes"]), **params))
    assert sorted(each.params["lanes"] for each in trials) == [1, 2, 3, 4]


def test_running_pruned_and_failed_trials_are_known_to_the_sampler() -> None:
    trials = [trial(0, lanes=1), trial(1, "open", lanes=2), trial(2, "pruned", lanes=3)]
    study = as_study(
        {"lanes": SearchRange(low=1, high=4)}, [*trials, trial(3, "failed", lanes=4)], MONITOR
    )
    assert [each.state.name for each in study.trials] == ["COMPLETE", "RUNNING", "PRUNED", "FAIL"]
    assert study.best_value == 0.5
    assert study.trials[2].intermediate_values == {100: 0.25, 200: 0.5}


RATE = {"rate": SearchRange(low=0.0, high=1.0)}


@pytest.mark.parametrize(("score", "hopeless"), [(0.1, True), (0.9, False)])
def test_trial_below_the_median_at_its_step_is_hopeless(score: float, hopeless: bool) -> None:  # noqa: FBT001
    finished = [trial(number, score=0.5 + number / 100, rate=0.5) for number in range(5)]
    assert is_hopeless(RATE, finished, trial(9, "open", score, rate=0.1), MONITOR) == hopeless


def test_no_trial_is_hopeless_before_five_have_finished() -> None:
    others = [trial(number, rate=0.5) for number in range(4)]
    others += [trial(4, "pruned", rate=0.5), trial(5, "failed", rate=0.5)]
    assert not is_hopeless(RATE, others, trial(9, "open", 0.0, rate=0.1), MONITOR)


def test_importance_is_that_of_the_parameter_that_matters() -> None:
    ranges = {**RATE, "lanes": SearchRange(low=1, high=8)}
    trials = [
        trial(number, score=float(number % 8), rate=(number * 7 % 20) / 20, lanes=1 + number % 8)
        for number in range(20)
    ]
    shares = importances(ranges, trials, MONITOR)
    assert list(shares) == ["lanes", "rate"]
    assert shares["lanes"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


def test_equal_scores_have_no_importance() -> None:
    assert importances(RATE, [trial(0, rate=0.1), trial(1, rate=0.2)], MONITOR) == {}


def test_missing_library_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigurationError, match=r"pip install -e '\.\[search\]'"):
        suggest(RANGES, [], MONITOR)


@pytest.mark.parametrize("state", ["slow", "refused"])
def test_sampler_avoids_values_that_cannot_be_trained(state: State) -> None:
    ranges = {"width": SearchRange(choices=(8, 16, 32))}
    excluded = [trial(number, state, width=32) for number in range(12)]
    learnt = [trial(12 + number, score=0.5, width=8 * (1 + number % 2)) for number in range(12)]
    seeds = range(20)
    proposed = [_proposed(ranges, [*excluded, *learnt], seed) for seed in seeds]
    assert proposed.count(32) < len(seeds) / 6


def _proposed(ranges: dict[str, SearchRange], trials: list[Trial], seed: int) -> object:
    study = as_study(ranges, trials, MONITOR)
    study.sampler = TPESampler(seed=seed)
    choices = CategoricalDistribution(["8", "16", "32"])
    return int(study.ask({"width": choices}).params["width"])

"""Running trials: one after another, side by side, pruned, failing, interrupted and continued."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.experiments.trials.conftest import (
    METRIC,
    RATE,
    WIDTH,
    FakeSearch,
    MakeSearch,
    cost_of,
    score_of,
    signalled_when,
)

from etram_pipeline.experiments.child import Stop, stopped_in_order
from etram_pipeline.experiments.definition import SearchRange
from etram_pipeline.experiments.queue import RUN_LOG
from etram_pipeline.experiments.registry import Registry
from etram_pipeline.experiments.trials import worker
from etram_pipeline.experiments.trials.claims import claim_trial
from etram_pipeline.experiments.trials.runs import PRUNED, TrialRuns
from etram_pipeline.experiments.trials.worker import (
    TrialsFailedError,
    Worker,
    WorkOptions,
    pruning_note,
)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers look at their trials often, so that tests take less time."""
    monkeypatch.setattr(worker, "_POLL_S", 0.05)


def worker_of(search: FakeSearch, runs: TrialRuns, lines: list[str], **options: object) -> Worker:
    return Worker(search, runs, WorkOptions.model_validate(options), lines.append)


def finished(runs: TrialRuns, registry: Registry, rate: float, number: int) -> None:
    """A trial that an earlier worker ran to its end."""
    trial = runs.create("tiny", number, {RATE: rate}, Path(f"search/trial_{number}").absolute())
    quality = score_of(trial.params)
    for step, score in [(100, quality / 3), (200, quality / 2), (300, quality)]:
        registry.client.log_metric(trial.run_id, METRIC, score, step=step)
    runs.end(trial, "FINISHED")


def test_search_runs_the_trials_asked_for_and_no_more(
    search: FakeSearch, runs: TrialRuns, registry: Registry
) -> None:
    lines: list[str] = []
    worker_of(search, runs, lines, trials=3).work(Stop())
    trials = runs.all()
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert {trial.state for trial in trials} == {"finished"}
    for trial in trials:
        quality = score_of(trial.params)
        assert trial.scores == {100: quality / 3, 200: quality / 2, 300: quality}
        assert trial.results == search.folder / f"trial_{trial.number}"
        assert trial.seconds is not None
    assert registry.runs() == []  # trials are no seeds of the experiment
    assert lines[0].startswith(f"trial 0 begins: {RATE}=")
    assert lines[1].startswith(f"trial 0: {METRIC} {score_of(trials[0].params):.4f} in ")
    lines.clear()
    worker_of(search, runs, lines, trials=4).work(Stop())
    assert [trial.number for trial in runs.all()] == [0, 1, 2, 3]  # those before count
    assert len(lines) == 2


def test_two_workers_share_a_search(slow_search: FakeSearch, runs: TrialRuns) -> None:
    search = replace(slow_search, pause_s=0.3)
    started = time.monotonic()
    worker_of(search, runs, [], trials=2, workers=2).work(Stop())
    assert time.monotonic() - started < 2 * 3 * 0.3 + 3
    first, second = runs.all()
    assert (first.state, second.state) == ("finished", "finished")
    assert first.params != second.params


def test_trial_of_another_worker_is_left_alone(search: FakeSearch, runs: TrialRuns) -> None:
    first = claim_trial(search, runs, 2, ())
    second = claim_trial(search, runs, 2, ())
    assert first is not None
    assert second is not None
    assert (first.trial.number, second.trial.number) == (0, 1)
    assert claim_trial(search, runs, 2, ()) is None
    first.release()
    again = claim_trial(search, runs, 2, ())
    assert again is not None
    assert (again.trial.number, again.is_continued) == (0, True)
    again.release()
    second.release()


def test_grid_has_each_combination_without_optuna(
    make_search: MakeSearch, runs: TrialRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    search = make_search(**{RATE: SearchRange(choices=(0.003, 0.006, 0.009))})
    worker_of(search, runs, []).work(Stop())
    assert [trial.params for trial in runs.all()] == [
        {RATE: rate} for rate in (0.003, 0.006, 0.009)
    ]
    assert {trial.state for trial in runs.all()} == {"finished"}


def test_hopeless_trial_is_stopped_in_order_and_not_continued(
    slow_search: FakeSearch, runs: TrialRuns, registry: Registry
) -> None:
    for number in range(5):
        finished(runs, registry, 0.006, number)
    search = replace(slow_search, own={RATE: 0.001}, pause_s=2.0)
    trial = runs.create("tiny", 5, {RATE: 0.001}, search.folder / "trial_5")
    lines: list[str] = []
    worker_of(search, runs, lines, trials=6).work(Stop())
    assert lines[-1].startswith("trial 5 was stopped at step 100, with ")
    run = registry.client.get_run(trial.run_id)
    assert (run.info.status, run.data.tags[PRUNED]) == ("KILLED", "true")
    assert runs.all()[-1].state == "pruned"
    assert claim_trial(search, runs, 6, ()) is None
    worker_of(search, runs, lines, trials=6, prune=False).work(Stop())
    assert len(runs.all()) == 6


def test_pruning_can_be_turned_off(
    slow_search: FakeSearch, runs: TrialRuns, registry: Registry
) -> None:
    for number in range(5):
        finished(runs, registry, 0.006, number)
    search = replace(slow_search, pause_s=0.6)
    runs.create("tiny", 5, {RATE: 0.001}, search.folder / "trial_5")
    worker_of(search, runs, [], trials=6, prune=False).work(Stop())
    assert runs.all()[-1].state == "finished"


def test_interrupted_trial_continues_with_the_same_values_in_the_same_run(
    slow_search: FakeSearch, runs: TrialRuns
) -> None:
    lines: list[str] = []
    with stopped_in_order() as stop:
        signalled_when(slow_search, "step_100")
        worker_of(slow_search, runs, lines, trials=2).work(stop)
    assert stop.times == 1
    assert lines[-1] == "trial 0 is interrupted; the same command continues it"
    (before,) = runs.all()
    assert before.state == "open"
    assert before.scores is not None
    assert list(before.scores) == [100]
    worker_of(replace(slow_search, pause_s=0.0), runs, lines, trials=2).work(Stop())
    after, second = runs.all()
    assert (after.run_id, after.params) == (before.run_id, before.params)
    assert after.state == second.state == "finished"
    assert any(line.startswith("trial 0 continues: ") for line in lines)
    output = (after.results / RUN_LOG).read_text()
    assert output.split() == ["step", "100", "step", "200", "step", "300"]  # nothing is repeated


def test_trial_of_a_dead_worker_continues(slow_search: FakeSearch, runs: TrialRuns) -> None:
    claim = claim_trial(slow_search, runs, 1, ())
    assert claim is not None
    claim.release()  # as the operating system does when its holder dies
    worker_of(replace(slow_search, pause_s=0.0), runs, [], trials=1).work(Stop())
    (trial,) = runs.all()
    assert (trial.run_id, trial.state) == (claim.trial.run_id, "finished")


def test_failing_trials_end_the_search_with_their_reason(
    search: FakeSearch, runs: TrialRuns
) -> None:
    lines: list[str] = []
    with pytest.raises(TrialsFailedError, match=r"3 trials in a row failed.*run\.log"):
        worker_of(replace(search, fails=True), runs, lines, trials=10).work(Stop())
    assert [trial.state for trial in runs.all()] == ["failed"] * 3
    assert "its exit code is 1" in lines[-1]
    assert "no memory left" in lines[-1]


def test_no_trial_begins_after_the_time_is_over(search: FakeSearch, runs: TrialRuns) -> None:
    worker_of(search, runs, [], trials=100, hours=1 / 3600).work(Stop())
    assert 1 <= len(runs.all()) < 20
    assert {trial.state for trial in runs.all()} == {"finished"}


def test_search_that_cannot_prune_says_so(search: FakeSearch) -> None:
    assert pruning_note(search, WorkOptions(trials=20)) == ""
    assert pruning_note(search, WorkOptions(trials=20, prune=False)) == ""
    assert "before 5 have finished" in pruning_note(search, WorkOptions(trials=5))
    assert "every combination" in pruning_note(search, WorkOptions())
    once = search.train.model_copy(update={"max_steps": 100})
    note = pruning_note(replace(search, train=once), WorkOptions(trials=20))
    assert "validated once, at its end" in note


@pytest.mark.usefixtures("often")
def test_detector_above_the_limit_is_not_trained(make_search: MakeSearch, runs: TrialRuns) -> None:
    search = make_search(limit_ms=20, **{WIDTH: SearchRange(choices=(10, 20, 30))})
    lines: list[str] = []
    worker_of(search, runs, lines).work(Stop())
    trials = runs.all()
    assert [trial.state for trial in trials] == ["finished", "finished", "slow"]
    assert [trial.cost for trial in trials] == [cost_of(10), cost_of(20), cost_of(30)]
    assert trials[2].scores == {}
    assert trials[2].reason == "30.0 ms per window, the limit is 20"
    assert lines[-1] == "trial 2 is not trained: 30.0 ms per window, the limit is 20"


@pytest.mark.usefixtures("often")
def test_values_that_fit_no_detector_do_not_stop_the_search(
    make_search: MakeSearch, runs: TrialRuns
) -> None:
    search = make_search(**{WIDTH: SearchRange(choices=(1, 3, 5, 8))})
    lines: list[str] = []
    worker_of(search, runs, lines).work(Stop())
    assert [trial.state for trial in runs.all()] == [*["refused"] * 3, "finished"]
    assert runs.all()[0].reason == "odd"
    assert "trial 2 is not trained: odd" in lines


@pytest.mark.usefixtures("often")
def test_what_was_measured_is_not_measured_again(
    make_search: MakeSearch, runs: TrialRuns, registry: Registry
) -> None:
    search = make_search(limit_ms=20, **{WIDTH: SearchRange(choices=(10, 30))})
    worker_of(search, runs, []).work(Stop())
    before = runs.all()
    lines: list[str] = []
    worker_of(search, TrialRuns(registry, "0123", METRIC), lines).work(Stop())
    assert (runs.all(), lines) == (before, [])


@pytest.mark.usefixtures("often")
def test_trial_that_is_interrupted_while_it_is_measured_is_measured_again(
    make_search: MakeSearch, runs: TrialRuns
) -> None:
    search = make_search(**{WIDTH: SearchRange(choices=(10,))})
    lines: list[str] = []
    with stopped_in_order() as stop:
        signalled_when(search, RUN_LOG)
        worker_of(replace(search, measuring_s=60.0), runs, lines).work(stop)
    (before,) = runs.all()
    assert (before.state, before.cost) == ("open", None)
    worker_of(search, runs, lines).work(Stop())
    (after,) = runs.all()
    assert (after.state, after.cost, after.run_id) == ("finished", cost_of(10), before.run_id)


def test_trial_that_was_measured_as_too_slow_is_not_trained_by_the_next_worker(
    make_search: MakeSearch, runs: TrialRuns
) -> None:
    search = make_search(limit_ms=20, **{WIDTH: SearchRange(choices=(30,))})
    claim = claim_trial(search, runs, None, [])
    assert claim is not None
    runs.note_cost(claim.trial, cost_of(30))  # the worker ends before it excludes the trial
    claim.release()
    lines: list[str] = []
    worker_of(search, runs, lines).work(Stop())
    assert [trial.state for trial in runs.all()] == ["slow"]
    assert lines == ["trial 0 is not trained: 30.0 ms per window, the limit is 20"]


def test_only_trials_of_different_detectors_are_measured(make_search: MakeSearch) -> None:
    rate, width = SearchRange(low=0.1, high=0.2), SearchRange(choices=(10, 20))
    assert not make_search(**{RATE: rate}).is_measured
    assert make_search(limit_ms=20, **{RATE: rate}).is_measured
    assert make_search(**{RATE: rate, WIDTH: width}).is_measured
    assert make_search(detector=SearchRange(choices=({"neck_stages": [2, 3]},))).is_measured

"""Workers of a search as jobs of a SLURM cluster, with programs that stand in for SLURM."""

import json
import signal
import sys
from pathlib import Path

import pytest
from tests.experiments.conftest import Write
from tests.experiments.trials.conftest import METRIC, RATE, FakeSearch, signalled_when

from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import open_registry
from etram_pipeline.experiments.trials import entry
from etram_pipeline.experiments.trials.entry import SearchOptions, search
from etram_pipeline.experiments.trials.plan import plan_search
from etram_pipeline.experiments.trials.runs import TrialRuns
from etram_pipeline.yaml_files import ConfigurationError

RANGES = "seeds: [0, 1]\nsearch: {train.optimizer.learning_rate: {low: 0.001, high: 0.01}}"
OPTIONS = SearchOptions(trials=4, workers=2)

SBATCH = """#!/bin/sh
cat > "$FAKE/script_$(ls "$FAKE" | wc -l)"
ls "$FAKE" | grep -c script
"""
SACCT = """#!/bin/sh
for job in 1 2; do echo "$job|$(cat "$FAKE/state")"; done
"""
SCONTROL = """#!/bin/sh
echo "$@" > "$FAKE/controlled"
"""


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the submitted scripts, beside the state of all jobs."""
    programs, folder = tmp_path_factory.mktemp("bin"), tmp_path_factory.mktemp("jobs")
    for name, text in [
        ("sbatch", SBATCH),
        ("sacct", SACCT),
        ("squeue", "#!/bin/sh\n"),
        ("scontrol", SCONTROL),
    ]:
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (folder / "state").write_text("RUNNING")
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE", str(folder))
    return folder


def finish_trials(own: Project, *rates: float) -> None:
    """Log a finished trial of `tiny` for each learning rate, which is also its score."""
    found, registry = plan_search(own, "tiny"), open_registry(own, None)
    runs = TrialRuns(registry, found.token, METRIC)
    for number, rate in enumerate(rates):
        trial = runs.create("tiny", number, {RATE: rate}, found.folder / f"trial_{number}")
        registry.client.log_metric(trial.run_id, METRIC, rate, step=100)
        runs.end(trial, "FINISHED")


@pytest.mark.usefixtures("client")
def test_each_worker_is_a_job_that_runs_the_command_of_the_search(
    own: Project, write: Write, cluster: Path
) -> None:
    write("tiny", RANGES)
    lines: list[str] = []
    search("tiny", OPTIONS, "slurm", {"partition": "short"}, own, lines.append)
    first, second = (path.read_text() for path in sorted(cluster.glob("script_*")))
    assert first == second
    assert "#SBATCH --partition=short" in first
    assert first.rstrip().endswith(
        f"exec {sys.executable} -m kedro experiments search tiny --trials 4 --no-rerun"
    )
    assert any("submitted as jobs 1, 2" in line for line in lines)
    assert "same command launches the best values on fresh seeds" in lines[-1]


@pytest.mark.usefixtures("client")
def test_workers_are_not_submitted_twice_but_again_when_they_have_ended(
    own: Project, write: Write, cluster: Path
) -> None:
    write("tiny", RANGES)
    lines: list[str] = []
    for state in ("RUNNING", "PENDING", "FAILED"):
        (cluster / "state").write_text(state)
        search("tiny", OPTIONS, "slurm", project=own, tell=lines.append)
    assert len(list(cluster.glob("script_*"))) == 4
    assert any("jobs 1, 2 of this search have not ended" in line for line in lines)
    folder = plan_search(own, "tiny").folder
    assert json.loads((folder / "jobs.json").read_text()) == ["3", "4"]


@pytest.mark.usefixtures("client")
def test_best_values_are_launched_as_jobs_when_all_trials_have_ended(
    own: Project, write: Write, cluster: Path
) -> None:
    write("tiny", RANGES)
    finish_trials(own, 0.002, 0.004)
    (cluster / "state").write_text("PENDING")
    page = search("tiny", SearchOptions(trials=2), "slurm", project=own, tell=lambda _line: None)
    scripts = [path.read_text() for path in cluster.glob("script_*")]
    assert sum("train,predict,evaluate,report" in text for text in scripts) == 2
    assert own.experiment("tiny_best").parameters == {RATE: 0.004}
    assert "| 1 | SCHEDULED |  |" in page.read_text()


@pytest.mark.usefixtures("client")
def test_halved_batches_are_refused_because_trials_ignore_them(
    own: Project, write: Write, cluster: Path
) -> None:
    write("tiny", RANGES)
    local = own.path / "conf" / "local" / "resources.yml"
    local.parent.mkdir(exist_ok=True)
    local.write_text("halve_batch: true\n")
    with pytest.raises(ConfigurationError, match="halve_batch does not act on a search"):
        search("tiny", OPTIONS, "slurm", project=own)
    assert not list(cluster.glob("script_*"))


@pytest.mark.usefixtures("client")
def test_no_worker_is_submitted_when_every_value_has_been_tried(
    own: Project, write: Write, cluster: Path
) -> None:
    write("tiny", f"seeds: [0]\nsearch: {{{RATE}: {{choices: [0.002, 0.004]}}}}")
    finish_trials(own, 0.002, 0.004)
    search("tiny", SearchOptions(trials=20, rerun=False), "slurm", project=own)
    assert not list(cluster.glob("script_*"))


@pytest.mark.usefixtures("client")
def test_signal_before_the_time_limit_stops_the_trial_and_queues_the_job_again(
    own: Project, write: Write, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("tiny", RANGES)
    found = FakeSearch(**vars(plan_search(own, "tiny")), pause_s=1.0)
    monkeypatch.setattr(entry, "plan_search", lambda *_: found)
    monkeypatch.setattr(entry, "_prepare", lambda *_: None)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    lines: list[str] = []
    signalled_when(found, "step_100", number=signal.SIGUSR1)
    with pytest.raises(SystemExit) as ended:
        search("tiny", SearchOptions(trials=1), project=own, tell=lines.append)
    assert ended.value.code == 128 + signal.SIGUSR1
    assert (cluster / "controlled").read_text() == "requeue 7\n"
    assert "trial 0 is interrupted; the same command continues it" in lines
    search("tiny", SearchOptions(trials=1, rerun=False), project=own, tell=lines.append)
    assert any(line.startswith("trial 0 continues: ") for line in lines)
    assert "1 trial: 1 finished" in (found.folder / "search.md").read_text()


def test_options_of_slurm_are_refused_elsewhere(own: Project) -> None:
    with pytest.raises(ConfigurationError, match="partition: only for `--on slurm`"):
        search("tiny", OPTIONS, "here", {"partition": "short"}, own)

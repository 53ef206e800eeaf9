"""Jobs of SLURM, whose commands are small programs here."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.experiments.conftest import Write

from etram_pipeline import experiments
from etram_pipeline.experiments import launchers
from etram_pipeline.experiments.launchers.slurm import halved
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import ExperimentRun, Registry
from etram_pipeline.experiments.slurm.cluster import (
    ACTIVE,
    SlurmError,
    find_states,
    status_of,
    submit,
)

SBATCH = """
number=$(( $(cat jobs 2> /dev/null || echo 100) + 1 )); echo $number > jobs
if [ -f refuses ] && [ $number -ge $(cat refuses) ]; then
  echo "sbatch: error: invalid partition specified: nowhere" >&2
  echo "sbatch: error: Batch job submission failed: Invalid partition name specified" >&2
  exit 1
fi
cat > script.$number; echo "$number|PENDING" >> squeue.txt; echo "$number;cluster"
"""
SACCT = """
[ ! -f no_accounting ] || { echo "Slurm accounting storage is disabled" >&2; exit 1; }
cat sacct.txt
"""
SQUEUE = """
[ ! -f no_queue ] || { echo "slurm_load_jobs error: Unable to contact" >&2; exit 1; }
cat squeue.txt
"""

Fake = Callable[[str, str], None]


@pytest.fixture
def fake(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Writes a program of SLURM that is found first."""
    folder = tmp_path_factory.mktemp("bin")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def written(name: str, body: str) -> None:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return written


@pytest.fixture
def cluster(own: Project, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cluster that lists the states in `sacct.txt` and `squeue.txt` of the project folder."""
    monkeypatch.chdir(own.path)
    for name, body in (("sbatch", SBATCH), ("sacct", SACCT), ("squeue", SQUEUE)):
        fake(name, body)
    fake("scancel", "echo $1 >> cancelled")
    for name in ("sacct.txt", "squeue.txt"):
        (own.path / name).touch()
    return own.path


def launch(own: Project, *names: str, **options: object) -> list[ExperimentRun]:
    return experiments.launch(names or ("one",), on="slurm", options=options, project=own)


@pytest.mark.usefixtures("registry")
def test_each_seed_is_a_job_that_waits_for_the_data(
    own: Project, write: Write, cluster: Path
) -> None:
    write("one", "seeds: [0, 1]")
    runs = launch(own)
    assert {run.seed: run.tags["slurm.job_id"] for run in runs} == {0: "102", 1: "103"}
    assert {run.status for run in runs} == {"SCHEDULED"}
    assert "--pipelines preprocess" in (cluster / "script.101").read_text()
    script = (cluster / "script.103").read_text()
    assert "#SBATCH --dependency=afterok:101\n" in script
    assert f"export MLFLOW_RUN_ID={runs[1].run_id}\n" in script
    assert "#SBATCH --gres=gpu:a100:1\n" in script
    assert all(run.results.is_dir() for run in runs)  # the output would be lost without it


@pytest.mark.usefixtures("registry")
def test_a_second_launch_leaves_queued_runs_alone_and_shares_their_data(
    own: Project, write: Write, cluster: Path
) -> None:
    write("one", "seeds: [0]")
    write("two", "seeds: [0]")
    launch(own)
    (cluster / "squeue.txt").write_text("101|RUNNING\n102|PENDING\n")
    runs = launch(own, "one", "two")
    assert [run.tags["slurm.job_id"] for run in runs] == ["102", "103"]
    assert "#SBATCH --dependency=afterok:101\n" in (cluster / "script.103").read_text()
    (cluster / "squeue.txt").write_text("102|RUNNING\n103|PENDING\n")
    write("three", "seeds: [0]")
    launch(own, "three")  # the data are there
    assert "--dependency" not in (cluster / "script.104").read_text()


def test_a_refused_job_is_a_failed_run_and_leaves_nothing_waiting(
    own: Project, write: Write, registry: Registry, cluster: Path
) -> None:
    write("one", "seeds: [0, 1]")
    (cluster / "refuses").write_text("102")
    with pytest.raises(SlurmError, match="sbatch: invalid partition specified: nowhere"):
        launch(own, partition="nowhere")
    assert [(run.seed, run.status) for run in registry.runs()] == [(0, "FAILED")]
    assert not launchers.is_live(registry.runs()[0])
    assert (cluster / "cancelled").read_text() == "101\n"
    (cluster / "refuses").unlink()
    assert [run.status for run in launch(own)] == ["SCHEDULED", "SCHEDULED"]
    assert len(registry.runs()) == 2


def test_without_slurm_nothing_is_registered(
    own: Project, write: Write, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("one", "")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SlurmError, match="sbatch is not on this machine"):
        launch(own)
    assert registry.runs() == []


def test_a_dry_run_writes_nothing_and_needs_no_slurm(
    own: Project, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        "one",
        "seeds: [0]\nsize: large\nparams: {train.lanes: 9, train.devices: 2, "
        "train.num_nodes: 2, train.launcher: srun}",
    )
    monkeypatch.setenv("PATH", "/nowhere")
    before = sorted(own.path.rglob("*"))
    options = {"account": "a b", "halve_batch": True, "mail_user": "me@x.org", "memory": "90G"}
    script = experiments.preview(["one"], on="slurm", options=options, project=own)
    assert sorted(own.path.rglob("*")) == before
    for line in (
        "--account='a b'",
        "--mem=90G",
        "--time=16:00:00",
        "--mail-user=me@x.org",
        "--gres=gpu:a100:2",
        "--nodes=2",
        "--ntasks-per-node=2",
        "--cpus-per-task=8",
    ):
        assert f"#SBATCH {line}\n" in script
    assert "train.lanes=3,train.devices=2" in script
    assert "train.optimizer.accumulate=3" in script


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("PENDING", "SCHEDULED"),
        ("REQUEUED", "SCHEDULED"),
        ("RUNNING", "RUNNING"),
        ("COMPLETED", "FINISHED"),
        ("CANCELLED by 0", "KILLED"),
        ("PREEMPTED", "KILLED"),
        ("TIMEOUT", "KILLED"),
        ("NODE_FAIL", "KILLED"),
        ("DEADLINE", "KILLED"),
        ("OUT_OF_MEMORY", "FAILED"),
        ("BOOT_FAIL", "FAILED"),
        ("FAILED", "FAILED"),
    ],
)
def test_states_of_jobs_are_statuses_of_runs(cluster: Path, state: str, status: str) -> None:
    (cluster / "sacct.txt").write_text(f"101|COMPLETED\n102|{state}\n")
    assert find_states(["102"]) == {"102": state.split(maxsplit=1)[0]}
    assert status_of(state.split(maxsplit=1)[0]) == status
    assert (state in ACTIVE) == (status in {"SCHEDULED", "RUNNING"})


def test_the_run_itself_knows_best_how_it_ended(
    own: Project, write: Write, registry: Registry, cluster: Path
) -> None:
    write("one", "seeds: [0]")
    (run,) = launch(own)
    for before, state, after in (
        ("SCHEDULED", "RUNNING", "RUNNING"),
        ("FAILED", "COMPLETING", "FAILED"),  # a job that still ends
        ("KILLED", "PENDING", "SCHEDULED"),  # preempted, and queued again
        ("FINISHED", "FAILED", "FINISHED"),
        ("RUNNING", "UNHEARD_OF", "FAILED"),
    ):
        registry.set_status(run.run_id, before)
        registry.tag(run.run_id, {"slurm.state": "PENDING"})
        (cluster / "sacct.txt").write_text(f"102|{state}\n")
        launchers.refresh(registry, registry.runs())
        found = registry.run(run.run_id)
        assert found.status == after
        assert launchers.is_live(found) == (state in ACTIVE and after != "FINISHED")


def test_the_queue_is_asked_where_accounting_is_off(
    cluster: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (cluster / "no_accounting").touch()
    (cluster / "squeue.txt").write_text("7|RUNNING\n70|PENDING\n")
    assert find_states(["7", "8"]) == {"7": "RUNNING", "8": "UNKNOWN"}
    assert "accounting storage is disabled: jobs that have left the queue count as" in caplog.text
    assert status_of("UNKNOWN") == "KILLED"


def test_nothing_changes_while_slurm_does_not_answer(
    own: Project, write: Write, registry: Registry, cluster: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write("one", "seeds: [0]")
    launch(own)
    (cluster / "no_queue").touch()
    launchers.refresh(registry, registry.runs())
    assert [run.status for run in registry.runs()] == ["SCHEDULED"]
    assert launchers.is_live(registry.runs()[0])
    assert "the states of jobs are unknown" in caplog.text


def test_an_answer_without_a_number_is_refused(fake: Fake) -> None:
    fake("sbatch", "cat > /dev/null; echo Submitted; echo")
    with pytest.raises(SlurmError, match="instead of the number of a job"):
        submit("#!/bin/sh")


@pytest.mark.parametrize("answer", [r"caf\351", "\u0663", "\u00b2", r"\377\n7x"])
def test_odd_answers_are_no_numbers(fake: Fake, answer: str) -> None:
    fake("sbatch", f"cat > /dev/null; printf '{answer}'")
    with pytest.raises(SlurmError, match="instead of the number of a job"):
        submit("#!/bin/sh")


def test_messages_in_another_encoding_are_shown_as_far_as_they_can_be_read(fake: Fake) -> None:
    fake("sbatch", r"cat > /dev/null; printf 'caf\351 is closed' >&2; exit 1")
    with pytest.raises(SlurmError, match=r"^sbatch: caf\ufffd is closed$"):
        submit("#!/bin/sh")
    fake("sbatch", "cat > /dev/null; yes | head -c 100000 >&2; exit 1")
    with pytest.raises(SlurmError) as caught:
        submit("#!/bin/sh")
    assert len(str(caught.value)) < 600


def test_states_are_read_among_other_output(cluster: Path) -> None:
    (cluster / "sacct.txt").write_bytes(b"caf\xe9|CLOSED\n7|running\n")
    assert find_states(["7"]) == {"7": "RUNNING"}


@pytest.mark.parametrize(
    ("lanes", "accumulate", "wanted"),
    [(12, 1, (6, 2)), (2, 4, (1, 8)), (1, 3, (1, 3)), (9, 1, (3, 3)), (5, 2, (1, 10))],
)
def test_half_a_batch_keeps_the_clips_of_each_step(
    own: Project, write: Write, lanes: int, accumulate: int, wanted: tuple[int, int]
) -> None:
    write("one", "params: {train: {lanes: 40, seed: 1}}")
    parameters = {"train.lanes": lanes, "train.optimizer.accumulate": accumulate}
    found = halved(own.described("one"), parameters).params
    assert (found["train.lanes"], found["train.optimizer.accumulate"]) == wanted
    assert found["train.seed"] == 1

"""Launching on this machine; the commands are stood in for by a small program."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from tests.experiments.conftest import Write

from etram_pipeline import experiments
from etram_pipeline.core.errors import BusyError
from etram_pipeline.core.locks import Access, held
from etram_pipeline.experiments import launchers
from etram_pipeline.experiments.commands import experiments as group
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import ExperimentRun, Registry
from etram_pipeline.yaml_files import ConfigurationError

STANDIN = """
import os, pathlib, re, sys, time
words = " ".join(sys.argv)
with open("ran.txt", "a") as file:
    file.write(f"{os.environ.get('MLFLOW_RUN_ID', '-')} {words}\\n")
if "preprocess" in words and pathlib.Path("no_data").exists():
    sys.exit("Error: no recordings")
if "train.seed=1" in words and pathlib.Path("fails").exists():
    sys.exit("INFO one\\nError: the loss is nan")
while "train.seed=" in words and pathlib.Path("waits").exists():
    pathlib.Path("begun").touch()
    time.sleep(0.05)
"""


@pytest.fixture
def commands(own: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replaces every command; returns the file that lists those that ran."""
    standin = own.path / "standin.py"
    standin.write_text(STANDIN)
    for module in ("queue", "launchers.here"):
        monkeypatch.setattr(
            f"etram_pipeline.experiments.{module}.executable",
            lambda command: [sys.executable, str(standin), *command],
        )
    return own.path / "ran.txt"


def ran(path: Path) -> list[str]:
    """Pipelines and seed of each command that ran."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else []:
        seed = re.search(r"train.seed=(\d+)", line)
        found.append(seed[1] if seed else "data")
    return found


def outcomes(runs: list[ExperimentRun]) -> dict[int, str]:
    return {run.seed: run.status for run in runs}


def test_runs_follow_their_data_and_are_skipped_once_finished(
    own: Project, write: Write, registry: Registry, commands: Path
) -> None:
    write("one", "seeds: [0, 1]")
    lines: list[str] = []
    runs = experiments.launch(["one"], project=own, tell=lines.append)
    assert ran(commands) == ["data", "0", "1"]
    assert outcomes(runs) == {0: "FINISHED", 1: "FINISHED"}
    assert [line.split()[0] for line in commands.read_text().splitlines()[1:]] == [
        run.run_id for run in runs
    ]
    again = experiments.launch(["one"], project=own, tell=lines.append)
    assert ran(commands) == ["data", "0", "1"]
    assert [run.run_id for run in again] == [run.run_id for run in runs]
    assert lines[-1] == "one seed=1: skipped, finished already"
    assert len(registry.runs()) == 2
    shutil.rmtree(runs[1].results)
    experiments.launch(["one"], project=own, tell=lines.append)
    assert lines[-1] == (
        f"one seed=1: skipped, finished already, although {runs[1].results} is not on this "
        f"machine: to run it again, delete MLflow run {runs[1].run_id}"
    )


def test_a_failed_run_says_why_and_does_not_stop_the_others(
    own: Project, write: Write, registry: Registry, commands: Path
) -> None:
    write("one", "seeds: [1, 2]")
    (own.path / "fails").touch()
    lines: list[str] = []
    runs = experiments.launch(["one"], project=own, tell=lines.append)
    assert outcomes(runs) == {1: "FAILED", 2: "FINISHED"}
    assert any(re.fullmatch("one seed=1: FAILED after .*: the loss is nan", line) for line in lines)
    (own.path / "fails").unlink()
    again = experiments.launch(["one"], project=own, tell=lines.append)
    assert outcomes(again) == {1: "FINISHED", 2: "FINISHED"}
    assert [run.run_id for run in again] == [run.run_id for run in runs]
    assert ran(commands) == ["data", "1", "2", "data", "1"]
    assert len(registry.runs()) == 2


def test_a_store_that_is_lost_does_not_stop_the_other_runs(
    own: Project,
    write: Write,
    registry: Registry,
    commands: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write("one", "seeds: [0, 1]")

    def lost(*_: object) -> None:
        raise MlflowException("Max retries exceeded")

    lines: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_terminated", lost)
        experiments.launch(["one"], project=own, tell=lines.append)
    assert ran(commands) == ["data", "0", "1"]
    ended = [line for line in lines if "FINISHED" in line]
    assert [line.split(":")[0] for line in ended] == ["one seed=0", "one seed=1"]
    assert all("; MLflow does not have this outcome: MLflow store" in line for line in ended)
    assert outcomes(registry.runs()) == {0: "SCHEDULED", 1: "SCHEDULED"}


def test_a_run_that_cannot_be_started_does_not_stop_the_others(
    own: Project, write: Write, registry: Registry, commands: Path
) -> None:
    write("one", "seeds: [0, 1]")
    (own.folder("one", None) / "seed_0" / "run.log").mkdir(parents=True)
    lines: list[str] = []
    experiments.launch(["one"], project=own, tell=lines.append)
    assert outcomes(registry.runs()) == {0: "FAILED", 1: "FINISHED"}
    assert ran(commands) == ["data", "1"]
    (failed,) = [line for line in lines if "seed=0: FAILED" in line]
    assert "because it cannot be started" in failed


def test_runs_without_data_fail_and_the_command_too(
    own: Project, write: Write, registry: Registry, commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("one", "seeds: [0]")
    (own.path / "no_data").touch()
    monkeypatch.chdir(own.path)
    done = CliRunner().invoke(group, ["launch", "one"])
    assert done.exit_code == 1
    assert "one seed=0: FAILED, its data could not be made: no recordings" in done.output
    assert outcomes(registry.runs()) == {0: "FAILED"}
    assert ran(commands) == ["data"]


def test_a_dry_run_prints_the_commands_and_writes_nothing(
    own: Project, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("one", "seeds: [3]\nparams: {train.lanes: 1}")
    monkeypatch.chdir(own.path)
    before = sorted(own.path.rglob("*"))
    done = CliRunner().invoke(group, ["launch", "one", "--dry-run"])
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "kedro run --pipelines preprocess --params train.lanes=1",
        "kedro run --pipelines train,predict,evaluate,report --params "
        "train.lanes=1,train.seed=3,results=data/09_experiments/one/seed_3",
    ]
    assert sorted(own.path.rglob("*")) == before


@pytest.mark.usefixtures("commands")
def test_an_edited_preset_or_configuration_makes_a_run_out_of_date(
    own: Project, write: Write, registry: Registry
) -> None:
    write("one", "seeds: [0]\npreset: rvt_tiny")
    (first,) = experiments.launch(["one"], project=own)
    preset = own.path / "conf/presets/rvt_tiny.yml"
    preset.write_text(preset.read_text() + "\npredict: {clip_length: 3}\n")
    (second,) = experiments.launch(["one"], project=own)
    assert second.run_id != first.run_id
    where = own.path / "conf/base/parameters_train.yml"
    where.write_text(where.read_text() + "  workers: 0\n")  # changes nothing that is computed
    (third,) = experiments.launch(["one"], project=own)
    assert third.run_id == second.run_id
    assert len(registry.runs()) == 2


@pytest.mark.usefixtures("commands")
def test_a_run_that_another_launch_has_is_skipped(
    own: Project, write: Write, registry: Registry
) -> None:
    write("one", "seeds: [0]")
    (run,) = experiments.launch(["one"], project=own)
    registry.set_status(run.run_id, "RUNNING")
    lines: list[str] = []
    with held(Access(run.results, inside=True), ""):
        experiments.launch(["one"], project=own, tell=lines.append)
    assert lines == ["one seed=0: skipped, another launch has it running"]


@pytest.mark.usefixtures("commands")
def test_a_folder_that_a_plain_run_uses_is_not_shared(own: Project, write: Write) -> None:
    write("one", "seeds: [0]")
    folder = own.folder("one", None) / "seed_0"
    with held(Access(folder, inside=True), ""), pytest.raises(BusyError, match="seed_0"):
        experiments.launch(["one"], project=own)


@pytest.mark.usefixtures("commands")
def test_a_run_whose_process_was_killed_is_found_out(
    own: Project, write: Write, registry: Registry
) -> None:
    write("one", "seeds: [0]")
    (run,) = experiments.launch(["one"], project=own)
    registry.set_status(run.run_id, "RUNNING")
    with held(Access(run.results, inside=True), ""):
        launchers.refresh(registry, registry.runs())
        assert outcomes(registry.runs()) == {0: "RUNNING"}
    launchers.refresh(registry, registry.runs())
    assert outcomes(registry.runs()) == {0: "KILLED"}


def test_a_run_on_another_machine_is_left_alone(
    own: Project, write: Write, registry: Registry, commands: Path
) -> None:
    write("one", "seeds: [0]")
    (run,) = experiments.launch(["one"], project=own)
    assert commands.exists()
    registry.set_status(run.run_id, "RUNNING")
    registry.tag(run.run_id, {"host": "elsewhere"})
    launchers.refresh(registry, registry.runs())
    assert outcomes(registry.runs()) == {0: "RUNNING"}


def test_experiments_that_prepare_other_data_in_one_folder_take_turns(
    own: Project, write: Write, commands: Path
) -> None:
    write("one", "seeds: [0]\nparams: {data: other, windows.duration_ms: 50}")
    write("two", "seeds: [1]\nparams: {data: other, windows.duration_ms: 100}")
    with pytest.raises(ConfigurationError, match=r"one and two prepare different data in .*other"):
        experiments.launch(["one", "two"], options={"jobs": 2}, project=own)
    assert not commands.exists()
    experiments.launch(["one", "two"], project=own)
    assert ran(commands) == ["data", "0", "data", "1"]


def test_experiments_on_the_same_data_prepare_it_once(
    own: Project, write: Write, commands: Path
) -> None:
    write("one", "seeds: [0]")
    write("two", "seeds: [1]\nparams: {train.lanes: 1}")
    experiments.launch(["one", "two", "one"], options={"jobs": 2}, project=own)
    assert sorted(ran(commands)) == ["0", "1", "data"]


def test_what_preparation_is_doing_is_shown(
    own: Project, write: Write, commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etram_pipeline.experiments.queue._NEWS_S", 0)
    write("one", "seeds: [0]")
    lines: list[str] = []
    experiments.launch(["one"], project=own, tell=lines.append)
    assert ran(commands) == ["data", "0"]
    assert any(line.startswith("one: data: 0 s, ") for line in lines)


LAUNCH = """
import sys
from etram_pipeline.experiments import launching, queue
from etram_pipeline.experiments.launchers import here
for module in (queue, here):
    module.executable = lambda command: [sys.executable, "standin.py", *command]
launching.launch(["one"], tell=print)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_and_leaves_the_rest(
    own: Project, write: Write, registry: Registry, number: signal.Signals, code: int
) -> None:
    write("one", "seeds: [0, 1]")
    (own.path / "standin.py").write_text(STANDIN)
    (own.path / "waits").touch()
    process = subprocess.Popen([sys.executable, "-c", LAUNCH], cwd=own.path)
    deadline = time.monotonic() + 60
    while not (own.path / "begun").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, number)
    assert process.wait(30) == code
    assert outcomes(registry.runs()) == {0: "KILLED", 1: "SCHEDULED"}
    assert not any(map(launchers.is_live, registry.runs()))

"""Experiments as jobs of a real SLURM cluster of this machine; asked for with `-m e2e`."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from etram_pipeline.experiments.launchers import refresh
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import ExperimentRun, open_registry

PROJECT = Path(__file__).parents[2]
CLUSTER = PROJECT / ".ci" / "slurm"
PROGRAMS = ("slurmctld", "slurmd", "slurmdbd", "sbatch", "munged", "mariadbd")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        any(
            shutil.which(each, path=f"{os.environ['PATH']}:/usr/sbin") is None for each in PROGRAMS
        ),
        reason="SLURM is not installed; .ci/slurm names its packages",
    ),
]

EXPERIMENT = """
hypothesis: Jobs end as they should.
params:
  train.max_steps: 60
  train.validation.every_steps: 60
  train.sampling: {kind: random}
  evaluate.protocols: [etram_8class]
  predict.windows: labelled
seeds: [0]
"""


SMALL = """
_scene: &scene
  path: ${globals:data}/01_raw/scene
  executor: ${globals:executor}
  settings: {num_train: 3, num_val: 1, num_test: 1}
recordings: {type: etram_pipeline.datasets.scene.SceneRecordingsDataset, <<: *scene}
label_files: {type: etram_pipeline.datasets.scene.SceneLabelsDataset, <<: *scene}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cluster that this process and its children use."""
    folder = tmp_path_factory.mktemp("slurm")
    subprocess.run([CLUSTER, "up", folder], check=True, timeout=120)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        patch.setenv("PYTHONPATH", "src")
        patch.setenv("OMP_NUM_THREADS", "1")
        for name in [name for name in os.environ if name.startswith("MLFLOW")]:
            patch.delenv(name)
        yield
    subprocess.run([CLUSTER, "down", folder], check=True, timeout=60)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone with experiments of its own, in a folder whose name has a space."""
    folder = tmp_path_factory.mktemp("clone") / "the project"
    keep = shutil.ignore_patterns("data", ".git", "mlruns", "*.db", "*.log", ".viz", "*_cache")
    shutil.copytree(PROJECT, folder, ignore=keep)
    (folder / "conf/local").mkdir(exist_ok=True)
    (folder / "conf/local/resources.yml").write_text("gpu: null\ncpus: 2\n")
    (folder / "conf/local/catalog.yml").write_text(SMALL)
    for name in ("whole", "requeued", "cancelled"):
        (folder / f"conf/experiments/{name}.yml").write_text(EXPERIMENT)
    broken = EXPERIMENT.replace("seeds:", "  train.start_from: nowhere.ckpt\nseeds:")
    (folder / "conf/experiments/broken.yml").write_text(broken)
    return Project(folder)


def launch(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kedro", "experiments", "launch", *arguments, "--on", "slurm"]
    return subprocess.run(
        [*command, "--memory", "3G", "--time", "30"],
        cwd=project.path,
        capture_output=True,
        text=True,
        check=False,
    )


def present(project: Project) -> dict[str, ExperimentRun]:
    registry = open_registry(project, None)
    refresh(registry, registry.runs())
    return {run.experiment: run for run in registry.runs()}


def wait_until(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def output(run: ExperimentRun) -> str:
    log = run.results / f"slurm-{run.tags['slurm.job_id']}.log"
    return log.read_text() if log.exists() else ""


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("cluster")
def test_jobs_end_as_they_should(project: Project) -> None:
    before = sorted(project.path.rglob("*"))
    dry = launch(project, "whole", "--dry-run")
    assert dry.stdout.count("#!/bin/bash") == 2, dry.stderr
    assert sorted(project.path.rglob("*")) == before

    refused = launch(project, "whole", "--partition", "nowhere")
    assert refused.returncode == 1
    assert "Error: sbatch: invalid partition specified: nowhere" in refused.stderr

    done = launch(project, "requeued", "cancelled", "broken", "whole")
    assert done.returncode == 0, done.stderr
    runs = present(project)
    assert {run.status for run in runs.values()} == {"SCHEDULED"}
    subprocess.run(["scancel", runs["cancelled"].tags["slurm.job_id"]], check=True)

    wait_until(lambda: has_trained(runs["requeued"], steps=20), 300)
    job = runs["requeued"].tags["slurm.job_id"]
    subprocess.run(["scancel", "--signal=USR1", "--batch", job], check=True)
    wait_until(lambda: "is queued again" in output(runs["requeued"]), 60)
    assert present(project)["requeued"].status == "SCHEDULED"
    wait_until(lambda: starts_now(job), 60)

    ended = {"FINISHED", "FAILED", "KILLED"}
    wait_until(lambda: {run.status for run in present(project).values()} <= ended, 420)
    statuses = {name: run.status for name, run in present(project).items()}
    assert statuses == {
        "requeued": "FINISHED",
        "cancelled": "KILLED",
        "broken": "FAILED",
        "whole": "FINISHED",
    }
    assert "continuing the training" in output(runs["requeued"])
    assert_same_weights(runs["requeued"], runs["whole"])
    again = launch(project, "whole", "requeued")
    assert again.stdout.count("skipped, finished already") == 2


def has_trained(run: ExperimentRun, steps: int) -> bool:
    histories = run.results.glob("06_models/trainings/*/history.csv")
    return any(f"\n{steps}," in history.read_text() for history in histories)


def starts_now(job: str) -> bool:
    """Let a job that was queued again start at once; SLURM would wait for two minutes."""
    command = ["scontrol", "update", f"jobid={job}", "StartTime=now"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def assert_same_weights(run: ExperimentRun, other: ExperimentRun) -> None:
    found, expected = (
        torch.load(each.results / "06_models/detector.ckpt", weights_only=False)["state_dict"]
        for each in (run, other)
    )
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name

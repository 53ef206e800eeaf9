"""Copies of the project, as clones hold it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

SCENE = """
_scene: &scene
  path: ${globals:data}/01_raw/scene
  executor: ${globals:executor}
  settings: {num_train: 2, num_val: 1, num_test: 3, scene: {duration_s: 2.0}}
recordings: {type: etram_pipeline.datasets.scene.SceneRecordingsDataset, <<: *scene}
label_files: {type: etram_pipeline.datasets.scene.SceneLabelsDataset, <<: *scene}
"""
TRAINING = """
train:
  max_steps: 40
  lanes: 1
  checkpoint_every_steps: 10
  validation: {every_steps: 20, lanes: 1}
predict: {splits: [test], lanes: 1}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a clone holds, without anything a run made before."""
    folder = tmp_path_factory.mktemp("clone") / "project"
    keep = shutil.ignore_patterns("data", ".git", "mlruns", "*.db", "*.log", ".viz", "*_cache")
    shutil.copytree(PROJECT, folder, ignore=keep)
    return folder


def add_small_environment(project: Path) -> None:
    """Add the environment `small`: a scene of six recordings of two seconds."""
    env = project / "conf" / "small"
    env.mkdir()
    (env / "catalog.yml").write_text(SCENE)
    (env / "globals.yml").write_text("data: data/small\n")
    (env / "parameters_small.yml").write_text(TRAINING)


def started(project: Path, *arguments: str) -> "subprocess.Popen[str]":
    """A `kedro` command that runs in the project, without MLflow's variables of this process."""
    command = [sys.executable, "-m", "kedro", *arguments]
    environment = {key: value for key, value in os.environ.items() if "MLFLOW" not in key}
    return subprocess.Popen(
        command,
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kedro(project: Path, *arguments: str) -> str:
    """Output of a `kedro` command, which must succeed."""
    process = started(project, *arguments)
    output, _ = process.communicate()
    assert process.returncode == 0, output[-8000:]
    return output

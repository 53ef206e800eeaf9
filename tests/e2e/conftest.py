"""Copies of the project, as clones hold it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a clone holds, without anything a run made before."""
    folder = tmp_path_factory.mktemp("clone") / "project"
    keep = shutil.ignore_patterns("data", ".git", "mlruns", "*.db", "*.log", ".viz", "*_cache")
    shutil.copytree(PROJECT, folder, ignore=keep)
    return folder


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

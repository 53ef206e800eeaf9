"""A whole cycle of experiments on a small scene: launched, killed, continued, ranked, compared."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import kedro, started

pytestmark = pytest.mark.e2e

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
WITH = "hypothesis: Memory raises AP.\nsuccess: {better_than: without}\n"
WITHOUT = "hypothesis: A detector without memory learns, too.\n"
COMMON = "env: small\nseeds: [0, 1]\n"
IDENTITY = "params: {detector.cell.kind: identity}\n"
FILES = (
    "comparison.html",
    "leaderboard.csv",
    "training_curves.png",
    "metrics_bar_comparison.png",
    "model_size_comparison.png",
    "hp_lr_scatter.png",
)


@pytest.fixture(scope="module")
def small(project: Path) -> Path:
    """A project with two experiments on a scene of six recordings of two seconds."""
    env, experiments = project / "conf" / "small", project / "conf" / "experiments"
    env.mkdir()
    (env / "catalog.yml").write_text(SCENE)
    (env / "globals.yml").write_text("data: data/small\n")
    (env / "parameters_small.yml").write_text(TRAINING)
    (experiments / "with.yml").write_text(WITH + COMMON)
    (experiments / "without.yml").write_text(WITHOUT + COMMON + IDENTITY)
    return project


def folder(project: Path, *parts: str) -> Path:
    return project.joinpath("data", "small", "09_experiments", *parts)


def states(project: Path) -> dict[tuple[str, int], str]:
    """State of each run."""
    rows = json.loads(kedro(project, "experiments", "status", "with", "without", "--json"))
    return {(row["experiment"], row["seed"]): row["state"] for row in rows}


def kill_during_the_training(launch: "subprocess.Popen[str]", log: Path, training: Path) -> None:
    """End a launch and its run as a power failure would, after a checkpoint was saved."""
    stop_s = time.monotonic() + 600
    while not list(training.glob("*/last.ckpt")):
        assert launch.poll() is None, launch.communicate()[0][-8000:]
        assert time.monotonic() < stop_s, log.read_text()[-8000:] if log.exists() else "no log"
        time.sleep(0.2)
    listed = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True)
    pairs = [line.split() for line in listed.stdout.splitlines()[1:]]
    children = [int(pid) for pid, parent in pairs if int(parent) == launch.pid]
    launch.kill()
    for child in children:
        os.killpg(child, signal.SIGKILL)
    launch.communicate()


@pytest.fixture(scope="module")
def cycle(small: Path) -> dict[str, Any]:
    """What each command of a cycle said."""
    told: dict[str, Any] = {"dry": kedro(small, "experiments", "launch", "without", "--dry-run")}
    told["nothing made"] = not (small / "mlflow.db").exists() and not folder(small).exists()
    launch = started(small, "experiments", "launch", "without", "with")
    results = folder(small, "without", "seed_0")
    kill_during_the_training(launch, results / "run.log", results / "06_models" / "trainings")
    told["after the kill"] = states(small)
    told["launch"] = kedro(small, "experiments", "launch", "without", "with")
    told["log"] = (results / "run.log").read_text()
    told["at the end"] = states(small)
    told["again"] = kedro(small, "experiments", "launch", "without", "with")
    told["board"] = kedro(small, "experiments", "status", "with", "without", "--leaderboard")
    told["compare"] = kedro(small, "experiments", "compare", "without", "with")
    return told


def test_a_dry_run_prints_the_commands_and_makes_nothing(cycle: dict[str, Any]) -> None:
    lines = [line for line in cycle["dry"].splitlines() if line.startswith("kedro run")]
    assert len(lines) == 3
    assert "--pipelines preprocess" in lines[0]
    assert ["train.seed=0" in lines[1], "train.seed=1" in lines[2]] == [True, True]
    assert cycle["nothing made"]


def test_a_run_that_was_killed_continues(cycle: dict[str, Any]) -> None:
    assert cycle["after the kill"]["without", 0] == "killed"
    assert "continuing the training" in cycle["log"]
    assert set(cycle["at the end"].values()) == {"finished"}
    assert len(cycle["at the end"]) == 4
    assert cycle["again"].count("skipped") == 4


@pytest.mark.usefixtures("cycle")
def test_each_experiment_is_written_down(small: Path) -> None:
    page = folder(small, "with", "experiment.md").read_text()
    assert "Memory raises AP." in page
    assert "train.seed=1" in page
    results = json.loads(folder(small, "with", "results.json").read_text())
    assert results
    assert "without" in folder(small, "README.md").read_text()


def test_a_comparison_is_a_page_with_five_files(cycle: dict[str, Any], small: Path) -> None:
    assert "undecided" in cycle["compare"]
    found = folder(small, "comparisons", "without-vs-with")
    assert sorted(path.name for path in found.iterdir() if path.name[0] != ".") == sorted(FILES)
    assert "with" in cycle["board"]


@pytest.mark.usefixtures("cycle")
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_a_browser_shows_the_page(small: Path) -> None:
    page = folder(small, "comparisons", "without-vs-with", "comparison.html")
    command = ["chromium", "--headless", "--no-sandbox", "--dump-dom", page.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "95 %" in shown.stdout
    assert "<svg" in shown.stdout

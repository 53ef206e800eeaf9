"""Comparisons with unusual runs and folders."""

import math
from pathlib import Path

import pytest
from tests.experiments.compared import Detector, launch
from tests.experiments.conftest import Write

from etram_pipeline.experiments import compare
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import Registry
from etram_pipeline.mlflow_logging.run_entries import NUM_PARAMETERS

ROUNDS = 200


@pytest.fixture(autouse=True)
def finished(
    own: Project, write: Write, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two experiments with a finished run each."""
    monkeypatch.chdir(own.path)
    for name, missed in (("baseline", 0.5), ("other", 0.4)):
        write(name, "seeds: [0]")
        launch(own, registry, name, Detector(missed), (0,))


def test_a_link_to_a_folder_keeps_leading_there(tmp_path: Path) -> None:
    link, folder = tmp_path / "link", tmp_path / "elsewhere" / "page"
    link.symlink_to(folder)
    for _ in range(2):
        assert compare("baseline", "other", out=link, rounds=ROUNDS).page.parent == folder
    assert link.is_symlink()
    assert (folder / "leaderboard.csv").is_file()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("link")] == ["link"]


def test_a_run_of_another_program_is_compared_whatever_it_logged(
    registry: Registry, tmp_path: Path
) -> None:
    run, *_ = registry.runs()
    client = registry.client
    other = client.create_run(registry.experiment_id, run_name="é" * 200).info.run_id
    report = client.download_artifacts(run.run_id, "report", str(tmp_path))
    client.log_artifacts(other, report, "report")
    client.log_param(other, "train.optimizer.learning_rate", "[1, 2]")
    client.log_metric(other, NUM_PARAMETERS, math.nan)
    written = compare("baseline", other, rounds=ROUNDS)
    (shown,) = written.comparison.others[0].runs
    assert (shown.learning_rate, shown.num_parameters) == (None, None)
    assert len(written.page.parent.name.encode()) <= 130

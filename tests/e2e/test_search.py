"""A search of two trainings on a small scene, whose best values run on a fresh seed."""

from pathlib import Path

import pytest
import yaml
from tests.e2e.conftest import add_small_environment, kedro

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

EXPERIMENT = """
hypothesis: A larger learning rate learns more in few steps.
env: small
params:
  train.max_steps: 10
  train.validation.every_steps: 5
  evaluate.protocols: [etram_8class]
seeds: [0]
search: {train.optimizer.learning_rate: {low: 1.0e-3, high: 1.0e-2, log: true}}
"""


def test_search_trains_validates_and_runs_its_best_values_on_a_fresh_seed(project: Path) -> None:
    add_small_environment(project)
    (project / "conf" / "experiments" / "tiny.yml").write_text(EXPERIMENT)
    command = ("experiments", "search", "tiny", "--trials", "2")
    kedro(project, *command)
    folder = project / "data" / "small" / "09_experiments"
    page = (folder / "tiny" / "search" / "search.md").read_text()
    assert "2 trials: 2 finished" in page
    assert "Trial 0 has the experiment's own values" in page
    assert "Mean of 1 fresh seed" in page
    assert not (folder / "tiny" / "search" / "trial_0" / "08_reporting").exists()
    assert (folder / "tiny_best" / "seed_1" / "08_reporting" / "metrics.json").is_file()
    best = yaml.safe_load((project / "conf" / "experiments" / "tiny_best.yml").read_text())
    assert best["seeds"] == [1]
    again = kedro(project, *command)
    assert "trial 2" not in again
    assert "skipped, finished already" in again

"""The report of a search, and the experiment that tests its best values."""

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from tests.experiments.trials.conftest import METRIC, RATE, WIDTH, FakeSearch, MakeSearch, trial

from etram_pipeline.experiments.definition import Experiment, SearchRange
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import Registry
from etram_pipeline.experiments.trials.figures import draw_front
from etram_pipeline.experiments.trials.report import write_report
from etram_pipeline.experiments.trials.rerun import (
    FreshRun,
    best_experiment,
    fresh_runs,
    write_best,
)
from etram_pipeline.experiments.trials.trial import Trial
from etram_pipeline.yaml_files import ConfigurationError

LANES = "train.lanes"


@pytest.fixture
def wide(make_search: MakeSearch) -> FakeSearch:
    """A search of two parameters."""
    search = make_search(
        **{RATE: SearchRange(low=0.001, high=0.01), LANES: SearchRange(low=1, high=4)}
    )
    search.project.definitions.mkdir(parents=True)
    return search


def searched(num_trials: int = 12) -> list[Trial]:
    trials = [
        trial(
            number,
            score=number / 20,
            params={RATE: 0.001 * (1 + number % 9), LANES: 1 + number % 4},
        )
        for number in range(num_trials)
    ]
    return [*trials, trial(12, "pruned", 0.9, params={RATE: 0.005, LANES: 2})]


def test_page_shows_the_best_trial_beside_its_values_on_fresh_seeds(wide: FakeSearch) -> None:
    fresh = [
        FreshRun(1, "FINISHED", 0.4),
        FreshRun(2, "FINISHED", 0.5),
        FreshRun(3, "RUNNING", 1.0),
    ]
    page = write_report(wide, searched(), fresh).read_text()
    assert "13 trials: 12 finished, 1 stopped early." in page
    assert f"the highest `{METRIC}` of its training, with seed 0" in page
    assert "No trial reads the test recordings" in page
    assert "Trial 11, with 0.5500:" in page
    assert f"| `{RATE}` | `0.003` |" in page
    assert "The best of 13 trials is optimistic" in page
    assert (
        "Best trial: **0.5500**. Mean of 2 fresh seeds: **0.4500** (from 0.4000 to 0.5000)" in page
    )
    assert "| 3 | RUNNING | 1.0000 |" in page


def test_page_tells_what_the_own_values_of_the_experiment_reached(wide: FakeSearch) -> None:
    trials = searched()
    page = write_report(replace(wide, own=dict(trials[0].params)), trials, []).read_text()
    assert "Trial 0 has the experiment's own values: 0.0000." in page


def test_table_has_a_row_for_each_trial(wide: FakeSearch) -> None:
    write_report(wide, searched(), [])
    with (wide.folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == [str(number) for number in range(13)]
    assert rows[3]["score"] == "0.15"
    assert rows[12]["state"] == "stopped early"
    assert rows[3][LANES] == "4"


def test_figures_are_pictures(wide: FakeSearch) -> None:
    page = write_report(wide, searched(), []).read_text()
    for name in ("history", "importance"):
        assert f"]({name}.png)" in page
        assert (wide.folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_few_trials_have_no_importance(wide: FakeSearch) -> None:
    page = write_report(wide, searched()[:1], []).read_text()
    assert "needs two finished trials with different scores" in page
    assert not (wide.folder / "importance.png").exists()


def test_report_of_a_grid_needs_no_optuna(
    wide: FakeSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    page = write_report(wide, searched(), []).read_text()
    assert "importance of parameters needs Optuna: `pip install -e '.[search]'`" in page


def test_search_without_finished_trials_has_a_report(wide: FakeSearch) -> None:
    page = write_report(wide, [trial(0, "failed", params={RATE: 0.001, LANES: 1})], []).read_text()
    assert "No trial has finished." in page


def test_best_values_are_an_experiment_on_seeds_that_the_search_did_not_use(
    wide: FakeSearch,
) -> None:
    best = searched()[11]
    path = write_best(wide, best_experiment(wide, best, 13))
    written = Experiment.model_validate(yaml.safe_load(path.read_text()))
    assert path.name == "tiny_best.yml"
    assert written.seeds == (1, 2, 3)
    assert written.parameters == dict(best.params)
    assert written.success is not None
    assert written.success.better_than == "tiny"
    assert not written.search


def test_better_values_replace_the_file_that_a_search_wrote(wide: FakeSearch) -> None:
    trials = searched()
    write_best(wide, best_experiment(wide, trials[3], 4))
    path = write_best(wide, best_experiment(wide, trials[11], 13))
    assert yaml.safe_load(path.read_text())["params"] == dict(trials[11].params)


def test_edited_file_with_the_same_values_stays(wide: FakeSearch) -> None:
    path = write_best(wide, best_experiment(wide, searched()[11], 13))
    text = path.read_text().replace("The best of 13 trials", "Luck")
    path.write_text(text)
    write_best(wide, best_experiment(wide, searched()[11], 14))
    assert path.read_text() == text


def test_file_of_somebody_else_is_not_replaced(wide: FakeSearch) -> None:
    path = wide.project.file("tiny_best")
    path.write_text("hypothesis: mine\n")
    with pytest.raises(ConfigurationError, match=r"tiny_best\.yml is not the file.*rename it"):
        write_best(wide, best_experiment(wide, searched()[11], 13))
    assert path.read_text() == "hypothesis: mine\n"


def test_score_of_a_fresh_seed_is_the_best_of_its_training(
    own: Project, make_search: MakeSearch, registry: Registry, tmp_path: Path
) -> None:
    wide = replace(make_search(), project=own)
    experiment = best_experiment(wide, searched()[11], 13)
    run = registry.schedule("tiny_best", experiment, 2, tmp_path / "seed_2")
    for step, score in [(100, 0.3), (200, 0.6), (300, 0.5)]:
        registry.client.log_metric(run.run_id, METRIC, score, step=step)
    registry.set_status(run.run_id, "FINISHED")
    assert fresh_runs(wide, experiment, registry) == [
        FreshRun(1, "not launched", None),
        FreshRun(2, "FINISHED", 0.6),
        FreshRun(3, "not launched", None),
    ]


def architectures(make_search: MakeSearch) -> tuple[FakeSearch, list[Trial]]:
    """A search of widths and stages below 25 ms, with a trial of each kind."""
    stages = SearchRange(choices=({"backbone": {"num_blocks": [1, 2]}}, {"neck_stages": [1, 2]}))
    widths = SearchRange(choices=(3, 8, 16, 64))
    search = make_search(limit_ms=25, detector=stages, **{WIDTH: widths})
    one, other = stages.choices or ()
    slow = trial(4, "slow", ms=40, params={"detector": other, WIDTH: 64})
    return search, [
        trial(0, score=0.4, ms=10, params={"detector": one, WIDTH: 8}),
        trial(1, score=0.3, ms=12, params={"detector": other, WIDTH: 8}),
        trial(2, score=0.6, ms=24, params={"detector": other, WIDTH: 16}),
        trial(3, "pruned", score=0.1, ms=15, params={"detector": one, WIDTH: 16}),
        replace(slow, reason="40.0 ms per window, the limit is 25"),
        replace(trial(5, "refused", params={"detector": one, WIDTH: 3}), reason="odd"),
    ]


def test_page_lists_what_each_time_per_window_allows(make_search: MakeSearch) -> None:
    page = write_report(*architectures(make_search), []).read_text()
    assert "1 too slow" in page
    assert "1 not possible" in page
    section = page.split("## Score against time")[1].split("## Importance")[0]
    assert "The limit is 25 ms; above it and not trained: 1 trial." in section
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    assert rows[2:] == [
        "| 0 | 10000 | 10.0 | 9.0 to 11.0 | 0.4000 | [1, 2] | 8 |  |",
        "| 2 | 24000 | 24.0 | 23.0 to 25.0 | 0.6000 |  | 16 | [1, 2] |",
    ]


def test_table_says_what_each_trial_costs_and_why_it_was_not_trained(
    make_search: MakeSearch,
) -> None:
    search, trials = architectures(make_search)
    write_report(search, trials, [])
    with (search.folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["ms per window"] for row in rows] == ["10.0", "12.0", "24.0", "15.0", "40.0", ""]
    assert rows[4]["state"] == "too slow"
    assert rows[5]["reason"] == "odd"
    assert rows[0]["detector.backbone.num_blocks"] == "[1, 2]"


def test_figure_shows_all_trials_with_a_time_and_the_limit(make_search: MakeSearch) -> None:
    search, trials = architectures(make_search)
    figure = draw_front(trials, search.monitor, search.experiment.limit)
    assert figure is not None
    (axes,) = figure.axes
    labels = axes.get_legend_handles_labels()[1]
    assert labels == [
        *("best within its time", "other trials", "stopped early"),
        *("too slow, not trained", "limit"),
    ]
    steps = next(line for line in axes.lines if line.get_drawstyle() == "steps-post")
    assert np.asarray(steps.get_xydata())[:2].tolist() == [[10, 0.4], [24, 0.6]]
    assert any(np.asarray(line.get_xdata()).tolist() == [25, 25] for line in axes.lines)


def test_search_without_times_has_no_such_section(wide: FakeSearch) -> None:
    page = write_report(wide, searched(), []).read_text()
    assert "Score against time" not in page
    assert not (wide.folder / "front.png").exists()

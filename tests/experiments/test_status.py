"""`kedro experiments status`, and the pages that it writes."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from rich.console import Console
from tests.experiments.conftest import Write, finish, schedule

from etram_pipeline import experiments
from etram_pipeline.experiments.commands import experiments as group
from etram_pipeline.experiments.overview import Row
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import NO_SEED, Registry
from etram_pipeline.experiments.render import render
from etram_pipeline.experiments.standing import Board

LONG = "an_experiment_whose_name_is_longer_than_a_narrow_terminal_shows"


@pytest.fixture
def study(
    own: Project, write: Write, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Project:
    """Two finished seeds of two experiments, a failed seed, one never launched, one invalid."""
    monkeypatch.chdir(own.path)
    write("base", "params: {detector.cell.kind: identity}\nseeds: [0, 1]")
    write("better", "success: {better_than: base}\nwhy: It remembers.")
    write(LONG, "size: large\nseeds: [7]")
    write("wrong", "sise: 3")
    for name, missed in (("base", 0.5), ("better", 0.1)):
        for seed in (0, 1):
            finish(registry, schedule(own, registry, name, seed), missed, tmp_path / "logged")
    failed = schedule(own, registry, "better", 2)
    registry.client.log_text(failed.run_id, "Traceback\nMemoryError: full\n", "traceback.txt")
    registry.set_status(failed.run_id, "FAILED")
    return own


def run(*words: str) -> str:
    done = CliRunner().invoke(group, ["status", *words])
    assert done.exit_code == 0, done.output
    return done.output


def states(rows: list[Row]) -> list[tuple[str, int | None, str]]:
    return [(row.experiment, row.seed, row.state) for row in rows]


@pytest.mark.usefixtures("study")
def test_every_run_has_a_row() -> None:
    rows = experiments.status()
    assert states(rows) == [
        (LONG, 7, "not launched"),
        ("base", 0, "finished"),
        ("base", 1, "finished"),
        ("better", 0, "finished"),
        ("better", 1, "finished"),
        ("better", 2, "failed"),
        ("wrong", None, "invalid"),
    ]
    assert rows[5].problem == "MemoryError: full"
    assert "sise: unknown key; did you mean 'size'?" in rows[6].problem
    assert rows[0].seconds is None
    assert rows[1].seconds == pytest.approx(90, abs=1)
    assert (rows[1].metric, rows[1].low, rows[1].high) == ("test/etram_8class/AP", 0.1, 0.9)

    *lines, last = run().splitlines()
    assert {line.split()[0] for line in lines} >= {"base", "better", "wrong"}
    assert last == f"not launched: {LONG}"
    assert "not launched:" not in run(LONG) + run("--state", "not launched") + run("--json")
    for row in json.loads(run("--json", "better")):
        assert row["experiment"] == "better"
        assert set(row) == set(Row.__dataclass_fields__)
    assert run("--state", "failed").count("better") == 2  # the row, and its problem
    assert run("--size", "large").count(LONG) == 1
    assert "there are no such runs" in run("--size", "xlarge")
    assert "none of these experiments has a finished run" in run("--leaderboard", LONG)


@pytest.mark.usefixtures("study")
def test_names_are_whole_wherever_they_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert LONG in run()
    monkeypatch.setattr(Console, "is_terminal", True)
    folded = "".join(line.split(" ")[0] for line in run(LONG).splitlines()[1:])
    assert LONG in folded.replace("\n", "")


@pytest.mark.usefixtures("study")
def test_a_run_whose_file_changed_is_out_of_date(write: Write) -> None:
    write("base", "seeds: [0, 1]")
    first, *_ = experiments.status(["base"])
    assert first.state == "out of date"
    assert "launch again" in first.problem
    assert [rank.experiment for rank in experiments.leaderboard()][:1] == ["better"]
    assert "base" not in {rank.experiment for rank in experiments.leaderboard()}


def test_progress_of_a_running_training_is_shown(
    own: Project, write: Write, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own.path)
    write("one", "seeds: [0]")
    running = schedule(own, registry, "one")
    registry.set_status(running.run_id, "RUNNING")
    registry.client.log_param(running.run_id, "train.max_steps", "500")
    for step in (1, 120):
        registry.client.log_metric(running.run_id, "train/loss", 1, step=step)
    assert "running, step 120 of 500" in run()


@pytest.mark.usefixtures("study")
def test_the_best_mean_comes_first_under_every_protocol() -> None:
    ranks = experiments.leaderboard()
    assert [(rank.metric, rank.place, rank.experiment) for rank in ranks] == [
        ("test/etram_8class/AP", 1, "better"),
        ("test/etram_8class/AP", 2, "base"),
        ("test/coco/AP", 1, "better"),
        ("test/coco/AP", 2, "base"),
    ]
    assert ranks[0].seeds == (0, 1)
    assert ranks[0].spread is not None
    assert ranks[0].mean > ranks[1].mean
    assert run("--leaderboard").index("better") < run("--leaderboard").index("base")
    assert {rank.metric for rank in experiments.leaderboard(metric="car/AP")} == {
        *("test/etram_8class/car/AP", "test/coco/car/AP")
    }


def test_results_on_other_labels_are_ranked_apart(
    study: Project, write: Write, registry: Registry, tmp_path: Path
) -> None:
    write("other", "seeds: [0]")
    finish(registry, schedule(study, registry, "other"), 0, tmp_path / "o", labels="another")
    places = {(rank.experiment, rank.labels): rank.place for rank in experiments.leaderboard()}
    assert places["other", "another"] == 1
    assert places["better", "3f9a1c"] == 1


def test_the_page_of_an_experiment_says_what_was_learnt(study: Project) -> None:
    render(Board(study))
    folder = study.folder("better", None)
    page = (folder / "experiment.md").read_text()
    for text in (
        *("**it helps**", "It remembers.", "Verdict: confirmed.", "Seed 2 has not finished."),
        *("(0.100 to 0.900)", "MemoryError: full", "kedro run --params train.seed=1", "0123abcd"),
        *("| `detector.cell.kind` | `'identity'` | `'conv_lstm'` |", "3f9a1c", "2 h 02 min"),
    ):
        assert text in page
    content = json.loads((folder / "results.json").read_text())
    assert content["verdict"]["outcome"] == "confirmed"
    assert [each["state"] for each in content["runs"]] == ["finished", "finished", "failed"]
    assert (folder / "figures" / "training.png").is_file()
    ranking = (folder.parent / "README.md").read_text()
    assert ranking.index("[better](better/experiment.md)") < ranking.index("[base](base/")
    assert not (folder.parent / LONG).exists()


def test_pages_are_written_again_only_if_something_changed(study: Project, write: Write) -> None:
    first = render(Board(study))
    assert {path.parent.name for path in first} == {"base", "better", "09_experiments"}
    before = {path: path.read_bytes() for path in first}
    assert render(Board(study)) == []
    for path in first:
        os.utime(path, (0, 0))
        path.write_text("by hand") if path.name == "README.md" else path.unlink()
    assert set(render(Board(study))) == set(first)
    assert {path: path.read_bytes() for path in first} == before
    write("better", "hypothesis: It helps | a lot.\nsuccess: {better_than: base}")
    page, ranking = render(Board(study))
    assert "**It helps | a lot.**" in page.read_text()
    assert r"| It helps \| a lot. |" in ranking.read_text()


def test_runs_made_by_hand_stop_nothing(study: Project, registry: Registry) -> None:
    before = states(experiments.status())
    (of_base, *_) = registry.runs(["base"])
    tags = {**of_base.tags, "seed": "first"}
    registry.client.create_run(registry.experiment_id, tags=dict(tags))
    other = registry.client.create_run(registry.experiment_id, tags={"mlflow.runName": "other"})
    registry.client.log_param(other.info.run_id, "train.seed", "None")
    assert states(experiments.status()) == before
    assert {run.seed for run in registry.every_run() if not run.definition} == {NO_SEED}

    renewed = registry.client.create_run(registry.experiment_id, tags=dict(of_base.tags))
    registry.client.log_param(renewed.info.run_id, "train.max_steps", "many")
    registry.client.log_metric(renewed.info.run_id, "train/loss", 1)
    (row,) = [row for row in experiments.status(["base"]) if row.seed == of_base.seed]
    assert (row.state, row.step, row.max_steps) == ("running", 0, None)
    assert render(Board(study))


def test_pages_that_cannot_be_written_do_not_hide_the_others(
    study: Project, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    run, *_ = registry.runs(["base"])
    (study.path / "file").touch()
    elsewhere = str(study.path / "file" / "seed_0")
    registry.tag(run.run_id, {"results": elsewhere, "launcher": "here"})
    folder = study.folder("base", None)
    (folder / "experiment.md").mkdir(parents=True)
    (folder.parent / "README.md").mkdir()
    written = render(Board(study))
    assert written == [study.folder("better", None) / "experiment.md"]
    assert "the page of base cannot be written" in caplog.text
    assert "the ranking cannot be written" in caplog.text


def test_a_store_that_fails_is_one_line(study: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise MlflowException("(sqlite3.OperationalError) database is locked")

    for method in ("search_runs", "get_metric_history", "list_artifacts"):
        with monkeypatch.context() as patch:
            patch.setattr(MlflowClient, method, failing)
            done = CliRunner().invoke(group, ["status"])
        assert done.exit_code == 1, method
        assert done.output.startswith(f"Error: MLflow store sqlite:///{study.path}/mlflow.db: ")
        assert "another program holds the database" in done.output


def test_a_project_without_runs_gets_no_database(own: Project, write: Write) -> None:
    write("one", "")
    board = Board(own)
    assert [each.state for each in board.standings] == ["not launched"] * 3
    assert render(board) == []
    assert not (own.path / "mlflow.db").exists()


def test_an_unknown_experiment_or_state_is_refused(
    own: Project, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own.path)
    write("one", "")
    for words, message in (
        (["on"], "unknown experiment 'on'; did you mean 'one'?"),
        (["--state", "runing"], "'runing'"),
    ):
        done = CliRunner().invoke(group, ["status", *words])
        assert done.exit_code != 0
        assert message in done.output


@pytest.mark.usefixtures("study")
@pytest.mark.parametrize("words", [(), ("--leaderboard",)])
def test_a_metric_that_does_not_exist_is_refused(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(group, ["status", "base", "--metric", "AP50", *words])
    assert done.exit_code == 1
    assert "--metric: unknown metric 'AP50'; did you mean 'AP_50'?" in done.output
    assert "0.8" not in run("base", "--metric", "operating/F1", *words)

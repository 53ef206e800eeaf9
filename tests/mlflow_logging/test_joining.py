"""Runs of MLflow that exist before `kedro run` begins, and what happens to their status."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from tests.test_mlflow_hook import files, run_logged, small_pipeline

from etram_pipeline.mlflow_logging.joining import find_run
from etram_pipeline.mlflow_logging.run_entries import SESSION, RunEntry, metrics_entry, send_unsent
from etram_pipeline.mlflow_logging.run_log import UNSENT, RunLog, current_log
from etram_pipeline.mlflow_logging.store import MlflowStoreError


@pytest.fixture
def scheduled(client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run that waits for its `kedro run`, as `kedro experiments launch` leaves it."""
    run = client.create_run("0", tags={"experiment": "memory"}, run_name="memory seed=0")
    client.update_run(run.info.run_id, status="SCHEDULED")
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    return str(run.info.run_id)


def all_runs(client: MlflowClient) -> list[Run]:
    ids = [each.experiment_id for each in client.search_experiments()]
    return list(client.search_runs(ids))


def test_the_run_that_the_variable_names_is_joined(
    project: Path, client: MlflowClient, scheduled: str
) -> None:
    statuses = []

    def look() -> int:
        statuses.append(client.get_run(scheduled).info.status)
        return 1

    pipeline, catalog = small_pipeline(project)
    run_logged(project, pipeline + Pipeline([Node(look, None, "x")]), catalog)
    (run,) = all_runs(client)
    assert statuses == ["RUNNING"]
    assert (run.info.status, run.info.run_name) == ("FINISHED", "memory seed=0")
    assert run.data.tags["experiment"] == "memory"
    assert run.data.tags["kedro.pipelines"] == "a+b"
    assert run.data.params["train.steps"] == "3"
    assert files(client, run, "checkpoint") == {"checkpoint/detector.ckpt"}
    assert os.environ["MLFLOW_RUN_ID"] == scheduled


def test_the_parameter_is_stronger_than_the_variable(
    project: Path, client: MlflowClient, scheduled: str
) -> None:
    other = client.create_run("0").info.run_id
    run_logged(project, *small_pipeline(project), run_id=other)
    assert client.get_run(other).info.status == "FINISHED"
    assert client.get_run(scheduled).info.status == "SCHEDULED"


@pytest.mark.parametrize("status", ["RUNNING", "FAILED", "KILLED"])
def test_a_run_that_did_not_finish_is_continued(
    project: Path, client: MlflowClient, scheduled: str, status: str
) -> None:
    client.update_run(scheduled, status=status)
    run_logged(project, *small_pipeline(project))
    assert [run.info.status for run in all_runs(client)] == ["FINISHED"]


def test_a_finished_run_is_not_joined_by_accident(
    project: Path, client: MlflowClient, scheduled: str
) -> None:
    run_logged(project, *small_pipeline(project))
    (project / "made.ckpt").unlink()
    message = f"MLFLOW_RUN_ID={scheduled}: this run is finished.*--params run_id={scheduled}"
    with pytest.raises(MlflowStoreError, match=message):
        run_logged(project, *small_pipeline(project))
    assert not (project / "made.ckpt").exists()
    run_logged(project, *small_pipeline(project), run_id=scheduled)
    assert len(all_runs(client)) == 1


def test_a_run_inside_a_run_is_a_run_of_its_own(
    project: Path, client: MlflowClient, scheduled: str
) -> None:
    inner = Pipeline([Node(list, None, "y", name="inside")])

    def nest() -> int:
        run_logged(project, inner, DataCatalog())
        assert client.get_run(scheduled).info.status == "RUNNING"
        code = (
            "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
            "from test_mlflow_hook import *\n"
            "run_logged(Path.cwd(), Pipeline([Node(list, None, 'y')]), DataCatalog())\n"
        )
        folder = str(Path(__file__).parents[1])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, "-c", code, folder], check=True, env=environment)
        assert client.get_run(scheduled).info.status == "RUNNING"
        return 1

    run_logged(project, Pipeline([Node(nest, None, "x")]), DataCatalog())
    assert [run.info.status for run in all_runs(client)] == ["FINISHED"] * 3


def test_without_mlflow_nothing_is_logged_in_the_run_that_the_variable_names(
    project: Path, client: MlflowClient, scheduled: str
) -> None:
    logs = []

    def look() -> int:
        logs.append(current_log())
        return 1

    run_logged(project, Pipeline([Node(look, None, "x")]), DataCatalog(), enabled=False)
    assert logs == [None]
    assert os.environ["MLFLOW_RUN_ID"] == scheduled
    assert client.get_run(scheduled).info.status == "SCHEDULED"


def test_unknown_and_deleted_runs_are_reported_in_a_line(
    client: MlflowClient, scheduled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = client.tracking_uri
    assert find_run(client, scheduled, uri, "run_id").info.run_id == scheduled
    for unknown in ("abc", "0" * 32, "1e5", "not/an id"):
        with pytest.raises(MlflowStoreError, match=r"run_id=.* has no such run; an id has 32"):
            find_run(client, unknown, uri, "run_id")
    with pytest.raises(MlflowStoreError, match=r"MLFLOW_RUN_ID=abc.*or unset MLFLOW_RUN_ID"):
        find_run(client, "abc", uri, "MLFLOW_RUN_ID")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter22@host")
    with pytest.raises(MlflowStoreError, match=r"TRACKING_URI is http://\*.*set `uri: null`"):
        find_run(client, "abc", uri, "MLFLOW_RUN_ID")
    client.delete_run(scheduled)
    with pytest.raises(MlflowStoreError, match=f"mlflow runs restore --run-id {scheduled}"):
        find_run(client, scheduled, uri, "run_id")


def session_of(client: MlflowClient, run_id: str, name: str, folder: Path) -> RunLog:
    """The log of a session that joined a run."""
    client.set_tag(run_id, SESSION, name)
    client.update_run(run_id, status="RUNNING")
    return RunLog(run_id, client.tracking_uri, folder / UNSENT, name)


def test_late_entries_do_not_bring_an_ended_run_back(
    client: MlflowClient, scheduled: str, project: Path
) -> None:
    log = session_of(client, scheduled, "first", project)
    client.set_terminated(scheduled, "KILLED")
    log.write(metrics_entry({"loss": 1}, 1))
    log.write(RunEntry(tags=(("a", "1"),), text="b", place="c.txt"))
    run = client.get_run(scheduled)
    assert (run.info.status, run.data.metrics) == ("KILLED", {"loss": 1})
    log.close("FINISHED")  # it was alive after all, and knows best how it ended
    assert client.get_run(scheduled).info.status == "FINISHED"


def test_the_end_of_an_earlier_session_changes_no_later_one(
    client: MlflowClient, scheduled: str, project: Path
) -> None:
    first = session_of(client, scheduled, "first", project)
    second = session_of(client, scheduled, "second", project)
    first.close("KILLED")
    assert client.get_run(scheduled).info.status == "RUNNING"
    second.close("FINISHED")
    assert client.get_run(scheduled).info.status == "FINISHED"


def test_unsent_entries_of_an_earlier_session_replace_nothing(
    client: MlflowClient, scheduled: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = session_of(client, scheduled, "first", project)
    with monkeypatch.context() as outage:
        outage.setattr("etram_pipeline.mlflow_logging.run_log.open_client", _no_answer)
        first.write(metrics_entry({"loss": 3}, 1))
        first.write(RunEntry(tags=(("git", "old"),), params=(("a", "1"),)))
        first.write(RunEntry(text="old", place="report.txt"))
        first.close("KILLED")
    second = session_of(client, scheduled, "second", project)
    second.write(metrics_entry({"loss": 2}, 2))
    second.write(RunEntry(tags=(("git", "new"),), params=(("a", "2"),)))
    second.write(RunEntry(text="new", place="report.txt"))
    second.close("FINISHED")
    send_unsent(client, client.tracking_uri, project / UNSENT)
    run = client.get_run(scheduled)
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"loss": 2})
    assert len(client.get_metric_history(scheduled, "loss")) == 2
    assert (run.data.tags["git"], run.data.params) == ("new", {"a": "2"})
    report = client.download_artifacts(scheduled, "report.txt")
    assert Path(report).read_text() == "new"
    assert not (project / UNSENT / scheduled).exists()


def _no_answer(_uri: str) -> None:
    raise ConnectionError("connection refused")

"""Many processes that create, upgrade and open one MLflow database at once."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from mlflow.store.db.utils import _get_alembic_config, create_sqlalchemy_engine
from mlflow.store.tracking.dbmodels.initial_models import Base
from mlflow.tracking import MlflowClient
from tests.mlflow_server import Server
from tests.test_mlflow_hook import EXPERIMENT, run_logged, small_pipeline, the_run

from etram_pipeline.mlflow_logging.database import database_path, database_uri, prepare_database
from etram_pipeline.mlflow_logging.store import MlflowSettings, opened, own_uri, store_uri

OLD_VERSION = "acf3f17fdcc7"
"""Of the databases of MLflow 2.9."""

RUN = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_mlflow_hook import *
import mlflow.tracking  # once, as that takes most of the time

def run(number):
    pipeline, catalog = small_pipeline(Path.cwd())
    catalog["checkpoint"] = Numbers(
        filepath=str(Path.cwd() / f"detector_{number}.ckpt"),
        metadata={"mlflow": {"metrics": True, "artifact_path": "checkpoint"}},
    )
    code = 1
    try:
        run_logged(Path.cwd(), pipeline, catalog)
        code = 0
    finally:
        sys.excepthook(*sys.exc_info()) if code else None
        os._exit(code)

children = []
for number in range(int(sys.argv[2])):
    if child := os.fork():
        children.append(child)
    else:
        run(number)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


def run_together(folder: Path, count: int) -> None:
    """Begin a logged run in each of several processes at once; check that all are whole."""
    environment = {key: value for key, value in os.environ.items() if "MLFLOW" not in key}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", RUN, str(Path(__file__).parents[1]), str(count)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiments = [each for each in client.search_experiments() if each.name == EXPERIMENT]
    assert len(experiments) == 1
    runs = client.search_runs([experiments[0].experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * count
    for run in runs:
        assert run.data.metrics == {"test/AP": 0.5, "quality/problems": 2.0}
        assert run.data.params == {"train.steps": "3", "train.optimizer.rate": "0.1"}
        assert len(client.list_artifacts(run.info.run_id, "checkpoint")) == 1
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert not list(folder.glob(".*.partial*"))


@pytest.mark.slow
def test_ten_first_runs_at_once_are_whole(project: Path) -> None:
    run_together(project, 10)


@pytest.fixture
def server(project: Path) -> Iterator[Server]:
    server = Server(project)
    yield server
    server.kill()


@pytest.mark.slow
def test_a_server_may_start_while_first_runs_create_its_database(
    project: Path, server: Server
) -> None:
    server.begin()
    run_together(project, 3)
    server.wait()
    run_logged(project, *small_pipeline(project), uri=server.uri, experiment="through")
    assert the_run_of(MlflowClient(server.uri), "through") == "FINISHED"


def the_run_of(client: MlflowClient, experiment: str) -> str:
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    (run,) = client.search_runs([found.experiment_id])
    return str(run.info.status)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as an older version of MLflow made it, with an experiment."""
    path = tmp_path_factory.mktemp("old") / "mlflow.db"
    uri = database_uri(path)
    engine = create_sqlalchemy_engine(uri)  # type: ignore[no-untyped-call]
    Base.metadata.create_all(engine)
    command.upgrade(_get_alembic_config(uri), OLD_VERSION)  # type: ignore[no-untyped-call]
    engine.dispose()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "INSERT INTO experiments (name, artifact_location, lifecycle_stage) "
            "VALUES ('of before', 'file:///tmp', 'active')"
        )
    return path


def version(path: Path) -> str:
    with closing(sqlite3.connect(path)) as database:
        return str(database.execute("SELECT version_num FROM alembic_version").fetchone()[0])


@pytest.mark.slow
def test_a_database_of_an_older_version_is_upgraded_once(project: Path, old: Path) -> None:
    shutil.copy(old, project / "mlflow.db")
    run_together(project, 3)
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    assert client.get_experiment_by_name("of before") is not None
    assert version(project / f"mlflow.db.{OLD_VERSION}") == OLD_VERSION
    assert version(project / "mlflow.db") != OLD_VERSION


def test_a_database_that_cannot_be_upgraded_stays_as_it_is(
    project: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(old, project / "mlflow.db"))
    before = path.read_bytes()

    def fail(_path: Path) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("etram_pipeline.mlflow_logging.database._upgrade_file", fail)
    with pytest.raises(OSError, match="No space left"):
        prepare_database(path)
    assert path.read_bytes() == before
    assert not list(project.glob(".*.partial*"))


def test_a_database_that_another_program_creates_is_waited_for(
    project: Path, database: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(old, project / "mlflow.db"))
    polls = []

    def sleep(_seconds: float) -> None:
        polls.append(1)
        shutil.copy(database, path)  # as if the other program had finished

    monkeypatch.setattr("etram_pipeline.mlflow_logging.database.time.sleep", sleep)
    prepare_database(path)
    assert len(polls) == 1
    assert not (project / f"mlflow.db.{OLD_VERSION}").exists()


@pytest.mark.parametrize("name", ["with space", "50%20off", "a?b#c"])
def test_any_folder_may_hold_the_database(project: Path, name: str) -> None:
    folder = project / name
    folder.mkdir()
    assert database_path(own_uri(folder)) == folder / "mlflow.db"
    run_logged(folder, *small_pipeline(folder))
    assert (folder / "mlflow.db").stat().st_size > 0
    assert not (project / "50 off").exists()
    client = MlflowClient(own_uri(folder))
    run = the_run(client)
    assert run.info.status == "FINISHED"
    text = client.download_artifacts(run.info.run_id, "checkpoint/detector.ckpt")
    assert Path(text).read_text() == "weights"


def test_a_relative_address_is_in_the_project(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///sub/runs.db")
    monkeypatch.chdir("/")
    uri = store_uri(MlflowSettings(), project)
    with opened(uri) as client:
        assert client.search_experiments()
    assert (project / "sub" / "runs.db").stat().st_size > 0
    assert store_uri(MlflowSettings(uri="http://host"), project) == "http://host"

"""Opening MLflow stores: together, damaged, out of reach; a fault is one line with its remedy."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from etram_pipeline.mlflow_logging import database as mlflow_database
from etram_pipeline.mlflow_logging import store as mlflow_store
from etram_pipeline.mlflow_logging.database import database_path
from etram_pipeline.mlflow_logging.store import (
    MlflowSettings,
    MlflowStoreError,
    StoreUnavailableError,
    find_experiment,
    opened,
    store_fault,
)

START = """
import sys
from etram_pipeline.mlflow_logging.store import find_experiment, opened
with opened(sys.argv[1]) as client:
    experiment = find_experiment(client, "all", None)
    print(client.create_run(experiment.experiment_id).info.run_id)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which three first runs began at once."""
    folder = tmp_path_factory.mktemp("three")
    left = folder / ".mlflow.db.0123abcd.partial"
    left.write_text("half of a database, of a run that was killed")
    command = [sys.executable, "-c", START, f"sqlite:///{folder}/mlflow.db"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    runs = [
        subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    ids = {run.communicate()[0].strip() for run in runs}
    assert [run.returncode for run in runs] == [0, 0, 0]
    (folder / "ids").write_text("\n".join(sorted(ids)))
    return folder


@pytest.fixture
def database(made: Path, tmp_path: Path) -> Path:
    """A whole database of its own."""
    return Path(shutil.copy(made / "mlflow.db", tmp_path / "mlflow.db"))


def test_three_first_runs_at_once_are_all_in_one_database(made: Path) -> None:
    client = MlflowClient(f"sqlite:///{made}/mlflow.db")
    experiment = client.get_experiment_by_name("all")
    assert experiment is not None
    found = {run.info.run_id for run in client.search_runs([experiment.experiment_id])}
    assert sorted(found) == (made / "ids").read_text().split()
    assert len(found) == 3
    assert not list(made.glob(".*.partial*"))


def refused(uri: str) -> str:
    with pytest.raises(StoreUnavailableError) as caught, opened(uri) as client:
        find_experiment(client, "any", None)
    message = str(caught.value)
    assert "\n" not in message
    assert "mlflow=false" in message
    return message


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_text("no database at all, but long enough to be taken for one" * 10)
    before = path.read_bytes()
    assert "damaged: move it away" in refused(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_half_made_database_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        connection.execute("CREATE TABLE experiments (id INTEGER)")
    assert "damaged: move it away" in refused(f"sqlite:///{tmp_path}/mlflow.db")


def test_an_empty_file_becomes_a_database(made: Path, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    with opened(f"sqlite:///{tmp_path}/mlflow.db") as client:
        assert client.search_experiments()
    assert made.exists()


def test_a_locked_database_is_refused(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_database, "_LOCKED_S", 0.1)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "another program holds the database" in refused(f"sqlite:///{database}")


def test_a_database_of_a_newer_version_is_refused(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
        connection.commit()
    assert "a newer version of MLflow made it" in refused(f"sqlite:///{database}")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(f"sqlite:///{tmp_path}/file/mlflow.db")


def test_a_run_that_opens_the_database_forever_is_named(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_store, "_PATIENCE_S", 0.1)
    uri = f"sqlite:///{database}"
    with opened(uri):
        assert "another run has been opening" in refused(uri)


@contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    """The address of a server that answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = _answer  # noqa: N815  # names that the library asks for

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://me:hunter22@127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "remedy"),
    [
        (401, "You are not authenticated", "MLFLOW_TRACKING_PASSWORD"),
        (403, "Permission denied", "may not write there"),
        (404, "<html>nothing here</html>", "no MLflow server"),
        (200, "<html>a page</html>", "no MLflow server"),
        (500, "oh dear", "answers with an error"),
    ],
)
def test_a_server_that_refuses_is_explained(
    status: int, body: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with answering(status, body) as uri:
        message = refused(uri)
    assert remedy in message
    assert "hunter22" not in message


def test_a_server_that_is_not_there_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for uri in ("http://127.0.0.1:1", "http://me:hunter22@no-such-host.invalid"):
        message = refused(uri)
        assert "no server answers" in message
        assert "hunter22" not in message


def test_a_port_is_no_answer() -> None:
    uri = "http://127.0.0.1:401"
    error = OSError(f"HTTPConnectionPool(host='127.0.0.1', port=401): Max retries at {uri}")
    assert "no server answers" in store_fault(error, uri)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("No module named 'psycopg2'", "the Python package `psycopg2`, which it is read with"),
        ("got unsupported URI 'ftp://x' for model registry", "this is the address of no store"),
        ("The filesystem tracking backend is in maintenance mode", "write `sqlite:///` and the"),
    ],
)
def test_an_address_that_leads_to_no_store_is_explained(text: str, told: str) -> None:
    assert told in store_fault(OSError(text), "postgresql://bob:hunter2@host/db")
    assert "hunter2" not in store_fault(OSError(text), "postgresql://bob:hunter2@host/db")


def test_a_deleted_experiment_is_told_in_a_line(database: Path) -> None:
    with opened(f"sqlite:///{database}") as client:
        client.delete_experiment(find_experiment(client, "all", None).experiment_id)
        with pytest.raises(MlflowStoreError, match="mlflow experiments restore"):
            find_experiment(client, "all", None)


def test_text_stays_text() -> None:
    digits = "0123456789" * 3 + "01"
    settings = MlflowSettings.model_validate({"run_name": "001", "run_id": digits})
    assert (settings.run_name, settings.run_id) == ("001", digits)
    assert MlflowSettings.model_validate({"run_name": "1e5"}).run_name == "1e5"
    assert MlflowSettings.model_validate({"experiment": 2024}).experiment == "2024"


def test_only_files_are_locked() -> None:
    assert database_path("sqlite:////data/mlflow.db") == Path("/data/mlflow.db")
    assert database_path("sqlite:///:memory:") is None
    assert database_path("postgresql://me@host/db") is None
    assert database_path("http://host") is None

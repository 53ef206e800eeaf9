"""Fixtures every test may use."""

import logging
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from kedro.framework.project import configure_project

from etram_pipeline.evaluation import metrics
from etram_pipeline.session import Session

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient
    from tests.real_export import RealExport

PROJECT = Path(__file__).parents[1]

OpenSession = Callable[..., Session]

hypothesis.settings.register_profile("patient", deadline=None)  # a busy machine fails no test
hypothesis.settings.load_profile("patient")


def pytest_sessionstart() -> None:
    """Let Ctrl-C interrupt what tests run, for a shell starts what is in its background without."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_export(tmp_path_factory: pytest.TempPathFactory) -> "RealExport":
    """A small detector and its exported file; exporting takes half a minute."""
    from tests.real_export import export_elsewhere

    return export_elsewhere(tmp_path_factory.mktemp("exported"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder to run in: the real configuration, no data, no MLflow database."""
    monkeypatch.chdir(tmp_path)
    for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(variable, raising=False)
    configure_project("etram_pipeline")
    return tmp_path


@pytest.fixture
def session(project: Path) -> OpenSession:
    """Opens Kedro sessions in the empty project."""

    def open_session(env: str | None = None, **parameters: object) -> Session:
        opened = Session.create(
            project, env=env, conf_source=str(PROJECT / "conf"), runtime_params=parameters or None
        )
        assert isinstance(opened, Session)
        return opened

    return open_session


@pytest.fixture
def count_error(monkeypatch: pytest.MonkeyPatch) -> str:
    """Kind of a metric that somebody adds as one file."""
    kind, folder = "count_error", PROJECT / "tests/evaluation/added"
    monkeypatch.setattr(metrics, "__path__", [*metrics.__path__, str(folder)])
    return kind


@pytest.fixture
def folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A sub-folder of a project without data, in which commands are given."""
    (project / "conf").symlink_to(PROJECT / "conf")
    (project / "pyproject.toml").write_text((PROJECT / "pyproject.toml").read_text())
    (project / "sub").mkdir()
    monkeypatch.chdir(project / "sub")
    monkeypatch.delenv("KEDRO_LOGGING_CONFIG", raising=False)
    monkeypatch.setattr(logging, "raiseExceptions", True)  # so that it is restored
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield project / "sub"
    root.handlers[:], root.level = before


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated MLflow database: making one takes seconds."""
    from mlflow.tracking import MlflowClient  # few tests need what takes seconds to import

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def client(project: Path, database: Path) -> "MlflowClient":
    """Reads what a run in the empty project logs."""
    from mlflow.tracking import MlflowClient

    shutil.copy(database, project / "mlflow.db")
    return MlflowClient(f"sqlite:///{project}/mlflow.db")

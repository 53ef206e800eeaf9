"""Fixtures every test may use."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from kedro.framework.project import configure_project

from etram_pipeline.evaluation import metrics
from etram_pipeline.session import Session

PROJECT = Path(__file__).parents[1]

OpenSession = Callable[..., Session]


def pytest_sessionstart() -> None:
    """Let Ctrl-C interrupt what tests run, for a shell starts what is in its background without."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


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

"""Fixtures every test may use."""

from collections.abc import Callable
from pathlib import Path

import pytest
from kedro.framework.project import configure_project
from kedro.framework.session import KedroSession

PROJECT = Path(__file__).parents[1]

Session = Callable[..., KedroSession]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder to run in: the real configuration, no data, no tracking database."""
    monkeypatch.chdir(tmp_path)
    for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(variable, raising=False)
    configure_project("etram_pipeline")
    return tmp_path


@pytest.fixture
def session(project: Path) -> Session:
    """Makes Kedro sessions in the empty project."""

    def make(env: str | None = None, **parameters: object) -> KedroSession:
        return KedroSession.create(
            project, env=env, conf_source=str(PROJECT / "conf"), runtime_params=parameters or None
        )

    return make

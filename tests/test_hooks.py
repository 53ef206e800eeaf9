"""What hooks hold of a run, however the run ends."""

import io
import threading
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import rich
from kedro.runner import SequentialRunner
from rich.console import Console
from tests.conftest import OpenSession

from etram_pipeline.core.locks import Access, held


def refuse_by_preflight(project: Path, _monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "data").write_text("in the way of a folder")


def refuse_by_mlflow(project: Path, _monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "mlflow.db").write_text("no database at all, but a file of some length")


def interrupt(_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SequentialRunner, "run", run)


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize(
    ("end", "logged", "error"),
    [
        (refuse_by_preflight, False, click.ClickException),
        (refuse_by_mlflow, True, click.ClickException),
        (interrupt, False, KeyboardInterrupt),
    ],
)
def test_a_run_that_is_refused_or_interrupted_leaves_nothing_behind(  # noqa: PLR0913, PLR0917
    session: OpenSession,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[Path, pytest.MonkeyPatch], None],
    logged: bool,  # noqa: FBT001
    error: type[BaseException],
    is_terminal: bool,  # noqa: FBT001
) -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=is_terminal, width=80)
    monkeypatch.setattr(rich, "get_console", lambda: console)
    end(project, monkeypatch)
    threads = set(threading.enumerate())
    with session(mlflow=logged) as active, pytest.raises(error):
        active.run(pipeline_names=["preprocess"])
    for left in set(threading.enumerate()) - threads:
        left.join(5)  # what draws a bar was told to end, and does so after its last look
    assert set(threading.enumerate()) <= threads
    # The cursor is back as often as it was hidden, which only a bar does.
    assert shown.getvalue().count("\x1b[?25l") == shown.getvalue().count("\x1b[?25h")
    if (project / "data").is_dir():
        with held(Access(project / "data/02_intermediate/histograms"), "wait"):
            pass

"""How a run of the command line ends: what it says, logs and leaves, and how to go on."""

import errno
import os
import signal
from pathlib import Path

import pytest
from kedro.framework.session import KedroSession
from kedro.io import DatasetError
from tests.test_cli import run

from etram_pipeline.yaml_files import ConfigurationError


def test_what_ends_a_run_is_in_the_log_of_the_project(folder: Path) -> None:
    run("--params", "recordng=x")
    run("--pipelines", "report", "--params", "mlflow=false")

    log = (folder.parent / "etram.log").read_text()
    assert "ERROR etram_pipeline.ended: unknown parameter 'recordng'" in log
    assert "detector.ckpt does not exist: run `kedro run --pipelines train`" in log
    assert "Traceback" in log
    assert not list(folder.iterdir())


def test_a_log_that_cannot_be_written_is_told_in_one_line(folder: Path) -> None:
    (folder.parent / "etram.log").mkdir()
    ended = run("--pipelines", "report", "--params", "mlflow=false")
    told = " ".join(ended.output.split())
    assert "etram.log: this run has no log file" in told
    assert "Logging error" not in ended.output
    assert "faults were found before the run began" in told


@pytest.mark.parametrize(
    "fault",
    [
        OSError(errno.ENOSPC, "No space left on device", "/data/x"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 9 vs 8"),
        DatasetError("Failed while loading data from dataset X.\n[Errno 28] write failed"),
    ],
)
def test_a_full_disk_is_told_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def fill(_session: object, **_options: object) -> None:
        raise fault from OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(KedroSession, "run", fill)
    ended = run()
    assert ended.exit_code == 1
    assert ended.output.startswith("Error: a disk is full (")
    assert ended.output.count("\n") == 1
    assert folder.is_dir()


def test_the_log_of_the_project_holds_no_passwords(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*_args: object, **_options: object) -> None:
        cause = OSError("http://bob:hunter2@host/api and zebra99 are refused")
        raise ConfigurationError("the token zebra99 is refused") from cause

    monkeypatch.setattr(KedroSession, "run", ask)

    run("--params", "dataset.api_token=zebra99")

    log = (folder.parent / "etram.log").read_text()
    assert "ERROR etram_pipeline.ended: the token *** is refused" in log
    assert "OSError: http://***@host/api and *** are refused" in log
    assert "hunter2" not in log
    assert "zebra99" not in log


@pytest.mark.parametrize(
    ("interrupt", "told", "exit_code"),
    [
        (signal.SIGINT, "interrupted: run the same command again", 130),
        (signal.SIGTERM, "ended by SIGTERM: run the same command again", 143),
        (signal.SIGUSR1, "ended by SIGUSR1: run the same command again", 138),
    ],
)
def test_an_interrupted_run_says_how_to_go_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, interrupt: int, told: str, exit_code: int
) -> None:
    def interrupted(_session: object, **_options: object) -> dict[str, object]:
        assert Path.cwd() == folder.parent
        os.kill(os.getpid(), interrupt)
        signal.sigtimedwait([], 5)  # a signal is answered between two instructions
        return {}

    monkeypatch.setattr(KedroSession, "run", interrupted)
    ended = run()

    assert (ended.exit_code, told in ended.output) == (exit_code, True)
    assert " WARNING etram_pipeline.ended: " in (folder.parent / "etram.log").read_text()


def test_an_interruption_that_a_library_answers_by_its_own_exit_is_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exited(_session: object, **_options: object) -> dict[str, object]:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise SystemExit(1)  # noqa: B904  # as Lightning does
        return {}

    monkeypatch.setattr(KedroSession, "run", exited)
    assert folder.exists()
    assert run().exit_code == 130

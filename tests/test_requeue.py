"""SIGUSR1 ends a run in order, and queues its SLURM job again."""

import signal
import sys
from pathlib import Path

import pytest

from etram_pipeline.requeue import Requeue, is_to_requeue

ASKED = 128 + signal.SIGUSR1


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `scontrol`, and the file with its arguments."""
    program, calls = tmp_path / "scontrol", tmp_path / "calls"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {calls}\n[ "$2" != 9 ] || {{ echo "Job is fixed" >&2; exit 1; }}'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return calls


def release(code: int | None) -> None:
    """Release the hook as the session does, while the run exits."""
    try:
        sys.exit(code)
    except SystemExit:
        Requeue().release()


def test_the_job_of_a_run_that_sigusr1_ends_is_queued_again(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    release(ASKED)
    assert calls.read_text() == "requeue 7\n"
    assert not is_to_requeue()


@pytest.mark.parametrize("code", [0, 1, 128 + signal.SIGTERM, None])
def test_other_ends_leave_the_job_alone(
    calls: Path, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    release(code)
    Requeue().release()  # after a run that ended by itself
    assert not calls.exists()


def test_outside_slurm_nothing_is_queued(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    release(ASKED)
    assert not calls.exists()


@pytest.mark.usefixtures("calls")
def test_a_job_that_may_not_be_queued_again_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "9")
    release(ASKED)
    assert "job 9 cannot be queued again (Job is fixed): submit it again" in caplog.text

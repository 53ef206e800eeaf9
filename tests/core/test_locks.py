"""Who may have a file or folder, while other processes hold it, end, or are killed."""

import errno
import fcntl
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etram_pipeline.core import locks as module
from etram_pipeline.core.errors import BusyError
from etram_pipeline.core.locks import Access, held

HOLD = """
import sys
from pathlib import Path
from etram_pipeline.core.locks import Access, held
with held(Access(Path(sys.argv[1]), shared=sys.argv[2] == "shared"), "wait"):
    {before}
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def other_process(path: Path, how: str = "alone", before: str = "pass") -> Iterator[int]:
    """Another process that holds `path`, by its number."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(before=before), str(path), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process.pid
        process.kill()


def test_a_second_one_is_refused_and_told_who_was_first(tmp_path: Path) -> None:
    wanted = tmp_path / "metrics.json"
    with (
        other_process(wanted) as pid,
        pytest.raises(
            BusyError,
            match=rf"using {re.escape(str(wanted))}, which this one writes "
            rf"\(process {pid} on \S+ since 20\S+ \S+\): wait or go$",
        ),
        held(Access(wanted), "wait or go"),
    ):
        pass


def test_a_killed_holder_is_no_obstacle(tmp_path: Path) -> None:
    wanted = tmp_path / "detections"
    with other_process(wanted) as pid:
        os.kill(pid, signal.SIGKILL)
        with held(Access(wanted), "wait"):
            assert f"process {os.getpid()} " in Access(wanted).lock.read_text()


def test_what_a_killed_holder_left_behind_is_waited_for(tmp_path: Path) -> None:
    wanted = tmp_path / "detections"
    fork = "import os, time; os.fork() or (time.sleep(1.5), os._exit(0))"
    with other_process(wanted, before=fork) as pid:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with held(Access(wanted), "wait"):
            pass


def test_what_a_killed_holder_left_behind_for_long_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 0.1)
    wanted = tmp_path / "detections"
    fork = "import os, time; os.fork() or (time.sleep(1.5), os._exit(0))"
    with other_process(wanted, before=fork) as pid:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with (
            pytest.raises(BusyError, match=rf"\(what process {pid} on .* started before it ended"),
            held(Access(wanted), "wait"),
        ):
            pass


def test_readers_share_and_keep_a_writer_out(tmp_path: Path) -> None:
    wanted = tmp_path / "detector.ckpt"
    with held(Access(wanted), "wait"):
        pass
    with other_process(wanted, "shared") as pid, held(Access(wanted, shared=True), "wait"):
        with (
            pytest.raises(BusyError, match=f"process {pid} on") as told,
            held(Access(wanted), "wait"),
        ):
            pass
        assert f"process {os.getpid()} on" in str(told.value)


def test_a_writer_keeps_readers_out(tmp_path: Path) -> None:
    wanted = tmp_path / "detector.ckpt"
    with (
        other_process(wanted) as pid,
        pytest.raises(BusyError, match=rf"which this one reads \(process {pid} on"),
        held(Access(wanted, shared=True), "wait"),
    ):
        pass


def test_to_read_leaves_no_trace(tmp_path: Path) -> None:
    with held(Access(tmp_path / "rvt.ckpt", shared=True), "wait") as file:
        assert file is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_to_read_needs_no_right_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    wanted = Access(tmp_path / "detector.ckpt", shared=True)
    wanted.lock.touch()
    real = Path.open

    def refuse(path: Path, mode: str = "r") -> object:
        if mode != "r":  # the superuser of a container may write everywhere
            raise OSError(number, os.strerror(number), str(path))
        return real(path, mode)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        reading = held(wanted, "wait")
        reading.__enter__()
    with (
        pytest.raises(BusyError, match=r"writes \(an unknown process\)"),
        held(Access(wanted.path), "wait"),
    ):
        pass
    reading.__exit__(None, None, None)


def test_where_nothing_can_be_locked_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_file: object, _how: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with held(Access(tmp_path / "a"), "wait"), held(Access(tmp_path / "a"), "wait"):
        pass
    assert "cannot be locked; make sure that no other run writes there" in caplog.text


@given(name=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1))
def test_two_names_never_share_a_lock(name: str) -> None:
    own, other = Access(Path("data", name)), Access(Path("data", f"{name}.history.csv"))
    assert own.lock != other.lock
    assert own.lock.name.startswith(".")

"""Commands that do not end when they are asked to."""

import fcntl
import sys
import time
from pathlib import Path

import pytest

from etram_pipeline.experiments import child
from etram_pipeline.experiments.child import Child

STUBBORN = """
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
started = subprocess.Popen(["sleep", "60"], close_fds=False)
print("started", flush=True)
started.wait()
"""


def test_a_command_that_does_not_end_in_order_is_killed_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "PATIENCE_S", 0.0)
    log = tmp_path / "log"
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = Child([sys.executable, "-c", STUBBORN], tmp_path, log, {}, [lock.fileno()])
    deadline = time.monotonic() + 60
    while "started" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    command.stop()
    while command.code() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # no process holds it any more

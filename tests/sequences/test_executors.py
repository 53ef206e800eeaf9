"""Where jobs run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from etram_pipeline.sequences.executors import ExecutorConfig, open_executor

INLINE = ExecutorConfig.model_validate({"kind": "inline"})
PROCESS = ExecutorConfig.model_validate({"kind": "processes", "workers": 1})


def test_inline_jobs_run_in_this_process() -> None:
    with open_executor(INLINE) as executor:
        assert executor.submit(os.getpid).result() == os.getpid()


def test_an_inline_job_fails_where_its_result_is_asked_for() -> None:
    with open_executor(INLINE) as executor:
        future = executor.submit(int, "x")

    with pytest.raises(ValueError, match="invalid literal"):
        future.result()


def test_processes_are_others() -> None:
    with open_executor(PROCESS) as executor:
        assert executor.submit(os.getpid).result() != os.getpid()


def is_alive(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "worker.txt"
    code = (
        "import os, time\n"
        "from etram_pipeline.sequences.executors import ExecutorConfig, open_executor\n"
        "process = ExecutorConfig.model_validate({'kind': 'processes', 'workers': 1})\n"
        "with open_executor(process) as executor:\n"
        f"    worker = executor.submit(os.getpid).result()\n"
        f"    open({str(told)!r}, 'w').write(str(worker))\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment)
    deadline = time.monotonic() + 30
    while not (told.exists() and told.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    worker = int(told.read_text())
    assert is_alive(worker)

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    while is_alive(worker):
        assert time.monotonic() < deadline
        time.sleep(0.01)

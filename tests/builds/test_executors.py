"""Where jobs run."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from importlib.util import find_spec
from pathlib import Path

import pytest
from pydantic import ValidationError

from etram_pipeline.builds.executors import (
    ExecutorConfig,
    close_kept,
    kept_open,
    open_executor,
    processes,
    worker_was_killed,
)
from etram_pipeline.core.errors import ExecutorError
from etram_pipeline.core.machine import num_cores

INLINE = ExecutorConfig.model_validate({"kind": "inline"})
PROCESSES = ExecutorConfig.model_validate({"kind": "processes", "workers": 2})
NO_CLUSTER = ExecutorConfig.model_validate({"kind": "dask", "cluster": "multiprocessing.NoCluster"})
CLUSTER = ExecutorConfig.model_validate({"kind": "dask", "workers": 2})
PROCESS = ExecutorConfig.model_validate({"kind": "processes", "workers": 1})

# Importing it would change what Ctrl-C does to the tests.
needs_jobqueue = pytest.mark.skipif(not find_spec("dask_jobqueue"), reason="no dask_jobqueue")


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets worker processes import this module by the name it has here."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))


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


def test_a_job_that_kills_its_process_fails_alone() -> None:
    with open_executor(PROCESSES) as executor:
        futures = [executor.submit(kill_itself if i == 2 else int, i) for i in range(6)]
        errors = [future.exception() for future in futures]

    assert [worker_was_killed(error) for error in errors] == [i == 2 for i in range(6)]
    assert [f.result() for f, error in zip(futures, errors, strict=True) if not error] == [
        0, 1, 3, 4, 5,
    ]  # fmt: skip


def kill_itself(_number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_processes_share_the_cores_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "num_cores", lambda: 6)
    with open_executor(PROCESSES) as executor:
        alone = executor.submit(num_cores).result()
        among_four = [executor.submit(pause_and_count_cores) for _ in range(4)][1]

        assert (alone, among_four.result()) == (6, 3)


def pause_and_count_cores() -> int:
    time.sleep(0.2)
    return num_cores()


def test_an_error_ends_what_is_being_computed_at_once() -> None:
    futures: list[Future[None]] = []
    started = time.monotonic()

    with pytest.raises(KeyboardInterrupt):
        start_and_interrupt(futures)

    assert time.monotonic() - started < 30
    assert all(future.done() for future in futures)


def test_after_an_error_idle_workers_leave_nothing_to_clean_up() -> None:
    code = (
        "import time\n"
        "from tests.builds.test_executors import PROCESS, hold_a_lock, open_executor\n"
        "if __name__ == '__main__':\n"
        "    with open_executor(PROCESS) as executor:\n"
        "        executor.submit(hold_a_lock).result()\n"
        "        time.sleep(0.5)\n"
        "        raise SystemExit('a recording failed')\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )

    # A worker that is killed leaves its locks, of which Python then warns.
    assert ended.stderr == "a recording failed\n"


def test_ctrl_c_leaves_no_tracebacks_of_workers_that_are_just_starting(tmp_path: Path) -> None:
    script = tmp_path / "interrupted.py"
    script.write_text(
        "import os, signal, sys, time\n"
        "if __name__ == '__main__':\n"
        "    from tests.builds.test_executors import PROCESSES, open_executor\n"
        "    try:\n"
        "        with open_executor(PROCESSES) as executor:\n"
        "            futures = [executor.submit(time.sleep, 60) for _ in range(2)]\n"
        "            time.sleep(1)\n"
        "            os.killpg(0, signal.SIGINT)\n"
        "            time.sleep(60)\n"
        "    except KeyboardInterrupt:\n"
        "        sys.exit('stopped')\n"
        "else:\n"
        "    time.sleep(3)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    ended = subprocess.run(
        [sys.executable, script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )

    assert ended.stderr == "stopped\n"


def hold_a_lock() -> None:
    """As compressors do, once they are imported."""
    _locks.append(multiprocessing.Lock())


_locks: list[object] = []


def start_and_interrupt(futures: list[Future[None]]) -> None:
    with open_executor(PROCESSES) as executor:
        executor.submit(os.getpid).result()
        futures += [executor.submit(time.sleep, 60) for _ in range(4)]
        raise KeyboardInterrupt


def test_an_executor_that_is_not_used_is_not_started() -> None:
    with open_executor(NO_CLUSTER):
        pass
    with (
        open_executor(NO_CLUSTER) as executor,
        pytest.raises(ExecutorError, match=r"there is no cluster class multiprocessing\.NoCluster"),
    ):
        executor.submit(int)


@needs_jobqueue
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cluster": "no_such_module.Cluster"}, "needs the module no_such_module: pip install"),
        ({"options": {"memory_limt": "1GB"}}, "does not start with .* argument 'memory_limt'"),
        (
            {"cluster": "dask_jobqueue.SGECluster", "options": {"cores": 1, "memory": "1GB"}},
            "submits jobs by `qsub`, which is not installed here",
        ),
    ],
)
def test_a_cluster_that_does_not_start_says_why(settings: dict[str, object], message: str) -> None:
    config = ExecutorConfig.model_validate({"kind": "dask", "workers": 1, **settings})
    with open_executor(config) as executor, pytest.raises(ExecutorError, match=message):
        executor.submit(int)


@needs_jobqueue
def test_a_cluster_s_module_leaves_ctrl_c_as_it_is() -> None:
    code = (
        "import os, signal\n"
        "from etram_pipeline.builds.executors import dask\n"
        "dask._find('dask_jobqueue.SLURMCluster')\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert ended.returncode == -signal.SIGINT


@pytest.mark.slow
def test_a_recording_that_kills_workers_of_a_cluster_fails_alone() -> None:
    pytest.importorskip("distributed")
    with open_executor(CLUSTER) as executor:
        futures = [executor.submit(kill_itself if i == 2 else int, i) for i in range(6)]

        assert worker_was_killed(futures[2].exception())
        assert executor.submit(num_cores).result() == 1  # for it is alive, and others work as well


def test_within_a_run_an_executor_is_started_once() -> None:
    with kept_open():
        with open_executor(PROCESS) as executor:
            first = executor.submit(os.getpid).result()
        with open_executor(PROCESS.model_copy()) as executor:
            assert executor.submit(os.getpid).result() == first
        close_kept()
        assert not is_alive(first)
        with open_executor(PROCESS) as executor:
            second = executor.submit(os.getpid).result()
    assert second != first
    assert not is_alive(second)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "processes", "workes": 2}, "unknown key 'workes'; did you mean 'workers'"),
        ({"kind": "inline", "workers": 2}, "unknown key 'workers'"),
        ({"kind": "proceses"}, "unknown kind 'proceses'; did you mean 'processes'"),
        ({"kind": "dask", "jobs": 2}, "unknown key 'jobs'; known: cluster, cores, kind, options"),
        ({"kind": "processes", "workers": 0}, "greater than or equal to 1"),
    ],
)
def test_misspelt_settings_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ExecutorConfig.model_validate(settings)


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
        "from etram_pipeline.builds.executors import ExecutorConfig, open_executor\n"
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

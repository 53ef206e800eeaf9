"""How runs that a signal ends are marked in MLflow."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from mlflow.tracking import MlflowClient
from tests.test_mlflow_hook import run_logged, the_run


def test_an_interrupted_run_ends_with_its_session(project: Path, client: MlflowClient) -> None:
    def interrupt() -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_logged(project, Pipeline([Node(interrupt, None, "x")]), DataCatalog())
    assert the_run(client).info.status == "KILLED"
    assert "MLFLOW_RUN_ID" not in os.environ


@pytest.mark.parametrize(("job", "status"), [("7", "SCHEDULED"), ("", "KILLED")])
def test_a_run_whose_job_is_queued_again_waits(
    project: Path,
    client: MlflowClient,
    monkeypatch: pytest.MonkeyPatch,
    job: str,
    status: str,
) -> None:
    def warn() -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        signal.sigtimedwait([], 5)  # a signal is answered between two instructions

    monkeypatch.setenv("SLURM_JOB_ID", job)
    with pytest.raises(SystemExit):
        run_logged(project, Pipeline([Node(warn, None, "x")]), DataCatalog())
    run = the_run(client)
    assert run.info.status == status
    assert (run.info.end_time is None) == (status == "SCHEDULED")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.usefixtures("client")
def test_a_killed_run_is_marked_as_killed(project: Path, number: signal.Signals) -> None:
    code = (
        "import sys, time; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from test_mlflow_hook import *\n"
        "def wait():\n    Path('ready').touch(); time.sleep(60)\n"
        "run_logged(Path.cwd(), Pipeline([Node(wait, None, 'x')]), DataCatalog())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        cwd=project,
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while not (project / "ready").exists() and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(number)
    assert process.wait(timeout=60) != 0
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    assert the_run(client).info.status == "KILLED"

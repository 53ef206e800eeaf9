"""Requeues a SLURM job that SIGUSR1 has ended, so that it continues later.

SLURM sends the signal before the time limit of a job, if the job was submitted with
`--signal=B:USR1@120`. Outside SLURM, SIGUSR1 ends a run like SIGTERM.
"""

import logging
import os
import signal
import subprocess
import sys

from typing_extensions import override

from etram_pipeline.session import ResourceHook

logger = logging.getLogger(__name__)

_JOB = "SLURM_JOB_ID"
_TIMEOUT_S = 30.0


class Requeue(ResourceHook):
    """Queues the job again after everything else of the run has been released."""

    @override
    def release(self) -> None:
        if not is_to_requeue():
            return
        job = os.environ[_JOB]
        try:
            done = subprocess.run(
                ["scontrol", "requeue", job],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT_S,
                check=False,
            )
            fault = (done.stderr.strip() or f"code {done.returncode}") if done.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            fault = str(error)
        if fault:
            logger.warning(
                "job %s cannot be queued again (%s): submit it again to continue", job, fault
            )
        else:
            logger.info("job %s is queued again, and continues when it starts", job)


def is_to_requeue() -> bool:
    """Whether SIGUSR1 is ending the run of a SLURM job; called while its exit is under way."""
    error = sys.exc_info()[1]
    is_asked = isinstance(error, SystemExit) and error.code == 128 + signal.SIGUSR1
    return is_asked and bool(os.environ.get(_JOB))

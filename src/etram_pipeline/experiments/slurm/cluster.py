"""The commands of SLURM: submitting jobs, and asking for their states."""

import logging
import shutil
import subprocess
from collections.abc import Collection, Sequence

from etram_pipeline.core.errors import EtramError

logger = logging.getLogger(__name__)

UNKNOWN = "UNKNOWN"
"""State of a job that SLURM does not know any more."""

_TIMEOUT_S = 60.0
_MOST = 500
"""Characters of an answer that a message shows."""

_WAITS = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"}
_WAITS |= {"RESV_DEL_HOLD"}
_RUNS = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"}
_INTERRUPTED = {"CANCELLED", "PREEMPTED", "DEADLINE", "REVOKED", "TIMEOUT", "NODE_FAIL", UNKNOWN}

ACTIVE = _WAITS | _RUNS
"""States of jobs that have not ended."""


class SlurmError(EtramError):
    """A command of SLURM is missing, or failed."""


def status_of(state: str) -> str:
    """Status in MLflow of a run whose job is in a state."""
    if state in _WAITS:
        return "SCHEDULED"
    if state in _RUNS:
        return "RUNNING"
    if state == "COMPLETED":
        return "FINISHED"
    return "KILLED" if state in _INTERRUPTED else "FAILED"


def submit(script: str) -> str:
    """Submit a job.

    Returns:
        Its number.

    Raises:
        SlurmError: If it is refused.
    """
    answer = _call(["sbatch", "--parsable"], script)
    number = answer.strip().splitlines()[-1].partition(";")[0] if answer.strip() else ""
    if not (number.isascii() and number.isdigit()):
        raise SlurmError(f"sbatch answers {answer.strip()[:200]!r} instead of the number of a job")
    return number


def cancel(job: str) -> None:
    """Cancel a job."""
    _call(["scancel", job])


def require_slurm() -> None:
    """Refuse to go on where no jobs can be submitted.

    Raises:
        SlurmError: If `sbatch` is missing.
    """
    if shutil.which("sbatch") is None:
        raise SlurmError(
            "sbatch is not on this machine: launch on a login node of the cluster, or with "
            "`--on here`"
        )


def find_states(jobs: Collection[str]) -> dict[str, str]:
    """The state of each job, without additions such as `by 0`.

    Accounting (`sacct`) is asked first, and the queue (`squeue`) for what it does not list: new
    jobs, and all jobs of a cluster without accounting.

    Raises:
        SlurmError: If the queue cannot be asked, so that nothing is known about some of the jobs.
    """
    wanted = sorted(set(jobs))
    if not wanted:
        return {}
    try:
        listed = _call(["sacct", "-X", "-n", "-P", "-j", ",".join(wanted), "-o", "JobIDRaw,State"])
    except SlurmError as error:
        logger.warning("%s: jobs that have left the queue count as killed", error)
        listed = ""
    states = _parse(listed.splitlines(), wanted)
    if missing := [job for job in wanted if job not in states]:
        queued = _call(["squeue", "-h", "--me", "-t", "all", "-o", "%A|%T"])
        states |= _parse(queued.splitlines(), missing)
    return {job: states.get(job, UNKNOWN) for job in wanted}


def _parse(lines: Sequence[str], wanted: Collection[str]) -> dict[str, str]:
    states = {}
    for line in lines:
        job, _, state = line.strip().partition("|")
        if job in wanted and state.split():
            states[job] = state.split()[0].rstrip("+").upper()
    return states


def _call(command: Sequence[str], text: str = "") -> str:
    try:
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",  # sites add messages of their own
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SlurmError(f"{command[0]}: {error}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        told = "; ".join(
            line.removeprefix(f"{command[0]}: ").removeprefix("error: ") for line in said
        )
        raise SlurmError(f"{command[0]}: {told[:_MOST] or f'ended with code {done.returncode}'}")
    return done.stdout

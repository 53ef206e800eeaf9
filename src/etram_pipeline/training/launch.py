"""Trains in this process, or in processes that a launcher starts on several devices.

Lightning's own launcher would start the calling program again for every device, with everything
that it did before. Instead, this module writes the training to a file, and a launcher starts the
module in each process, for example `torchrun --standalone --nproc-per-node=4 -m
etram_pipeline.training.launch <work_dir>`.
"""

import logging
import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from etram_pipeline.core.component import Settings
from etram_pipeline.core.display import Display
from etram_pipeline.core.errors import EtramError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.locks import Access, held
from etram_pipeline.core.machine import is_first_process
from etram_pipeline.evaluation.protocols import resolve_protocol
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.training.checkpoints import BEST
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.mlflow_logger import lightning_loggers
from etram_pipeline.training.settings import TrainSettings

logger = logging.getLogger(__name__)

JOB = "job.json"
"""File in the folder of every training with its data and settings."""

_REMEDY = "it runs the same training; wait until it is finished, and use its result"
_INTERRUPTED = "training was stopped; the same command continues from the last checkpoint"
_SECONDS_TO_STOP = 60  # torchrun gives its processes 30


class TrainingJob(Settings):
    """One training as plain data, which another process can read.

    Attributes:
        representations: Root of the stored representations.
        representation: Name of the representation in that store.
        labels: Root of the stored labels.
        train: Keys of the recordings to learn from.
        val: Keys of the recordings that select the best checkpoint.
        blueprint: What to train.
        settings: How to train it.
    """

    representations: Path
    representation: str
    labels: Path
    train: tuple[str, ...]
    val: tuple[str, ...]
    blueprint: Blueprint
    settings: TrainSettings


class LaunchError(EtramError):
    """The launcher could not be started, or a process that it started failed."""


def run_job(job: TrainingJob, work_dir: Path) -> Path:
    """Train as `fit` does, in as many processes as the job's launcher starts.

    Returns:
        The best checkpoint.

    Raises:
        BusyError: If another process trains in this folder.
        LaunchError: If the launcher fails; its own output says why.
        KeyboardInterrupt: If interrupted; call again to continue.
    """
    with held(Access(work_dir, inside=True), _REMEDY) as locked:
        with written_whole(work_dir / JOB) as partial:
            partial.write_text(job.model_dump_json(serialize_as_any=True, indent=2))
        if job.settings.launcher is None:
            return _fit(job, work_dir)
        command = [*shlex.split(job.settings.launcher), "-m", __name__, str(work_dir)]
        # Processes that outlive this one still train, so they keep the folder locked.
        _run(command, () if locked is None else (locked.fileno(),))
        return work_dir / BEST


def _fit(job: TrainingJob, work_dir: Path) -> Path:
    frames = RepresentationStore(job.representations, job.representation)
    labels = LabelStore(job.labels)
    learnt, scored = (labels.with_masks() if wanted else labels for wanted in _wants_masks(job))
    train = LabelledRecordings.choose(frames, learnt, job.train)
    val = LabelledRecordings.choose(frames, scored, job.val)
    return fit(train, val, job.blueprint, job.settings, work_dir, lightning_loggers())


def _wants_masks(job: TrainingJob) -> tuple[bool, bool]:
    """Whether masks are needed to learn, and to score."""
    protocol = resolve_protocol(job.settings.validation.protocol)
    return job.blueprint.detector.needs_masks, protocol.needs_masks


def _run(command: list[str], keep_open: tuple[int, ...]) -> None:
    """Run a command to its end; whatever ends this process ends the command too.

    Ctrl-C reaches the command through this process only, and only once: a second signal would end
    it without saving.
    """
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, pass_fds=keep_open, process_group=0
        )
    except OSError as error:
        raise LaunchError(f"train.launcher: cannot start '{command[0]}': {error}") from error
    try:
        code = process.wait()
    except BaseException as error:
        _end(process)
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(_INTERRUPTED) from error
        raise
    if code != 0:
        raise LaunchError(f"'{shlex.join(command)}' ended with code {code}; see its messages above")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Let a command save its state and end; a second signal kills it immediately."""
    logger.warning("stopping after this step, to save it; press Ctrl-C again to stop immediately")
    process.terminate()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS_TO_STOP)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def main(work_dir: Path) -> None:
    """Train in a process that a launcher started, in a folder that `run_job` has locked."""
    level = logging.INFO if is_first_process() else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
    display = Display(with_bar=False)  # the process that ran the launcher shows one
    try:
        job = TrainingJob.model_validate_json((work_dir / JOB).read_text())
        _check_processes(job.settings)
        if is_first_process():
            display.start("training")
        _fit(job, work_dir)
    except EtramError as error:
        logger.error("%s", error)  # noqa: TRY400, the user needs no traceback
        sys.exit(1)
    finally:
        display.stop()


def _check_processes(settings: TrainSettings) -> None:
    """Refuse a wrong number of processes: each would train alone, into the same files.

    Raises:
        LaunchError: If the launcher started another number than the settings ask for.
    """
    started = int(os.environ.get("WORLD_SIZE") or os.environ.get("SLURM_STEP_NUM_TASKS") or 1)
    wanted = settings.devices * settings.num_nodes
    if started != wanted:
        raise LaunchError(
            f"train.launcher starts {started} processes, but train.devices "
            f"({settings.devices}) times train.num_nodes ({settings.num_nodes}) is {wanted}; "
            "change one of them"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

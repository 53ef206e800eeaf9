"""Runs experiments on this machine: a queue of processes."""

import shlex
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from pydantic import Field

from etram_pipeline.core.component import Settings
from etram_pipeline.core.locks import Access, held, is_held
from etram_pipeline.experiments.child import Child, Stop, stopped_in_order
from etram_pipeline.experiments.command import executable, preparation, run_command
from etram_pipeline.experiments.launchers import Options, Stages, Tell, checked_options
from etram_pipeline.experiments.queue import WIDE, Turn, progress_shown, run_queue
from etram_pipeline.experiments.registry import (
    HOST,
    LAUNCHER,
    ExperimentRun,
    Registry,
    open_registry,
)
from etram_pipeline.experiments.work import (
    Work,
    preparation_lock,
    refuse_several_stages,
    to_prepare,
)

PREPARATION_LOG = "preparation.log"

_POLL_S = 0.2


class HereOptions(Settings):
    """How to run on this machine.

    Attributes:
        jobs: Runs side by side.
    """

    jobs: int = Field(default=1, ge=1)


def preview(stages: Stages, options: Options) -> str:
    """The commands in their order."""
    _checked(stages, options)
    lines = []
    for stage in stages:
        lines += [shlex.join(preparation(each.experiment)) for each in to_prepare(stage)]
        for each in stage:
            for seed in each.seeds:
                command = run_command(
                    each.experiment, seed, each.project.written(each.results(seed))
                )
                lines.append(shlex.join(command))
    return "\n".join(lines)


def launch(stages: Stages, options: Options, tell: Tell) -> None:
    """Run everything, and return when it has ended.

    Raises:
        ConfigurationError: If an option is wrong.
        BusyError: If another launch has begun one of the runs.
        SystemExit: On Ctrl-C and SIGTERM.
    """
    jobs = _checked(stages, options).jobs
    with ExitStack() as locks, stopped_in_order() as stop:
        turns = [[turn for each in stage for turn in _turns(each, locks)] for stage in stages]
        for own in turns:
            ready = _prepare(own, stop, tell)
            run_queue(ready, jobs, stop, tell)
        if stop.times:
            tell("stopped: the same command continues")
            raise SystemExit(128 + stop.signal)


def refresh(registry: Registry, runs: Sequence[ExperimentRun]) -> None:
    """Mark runs as killed whose process ended without a final status."""
    for run in runs:
        is_own = run.tags.get(HOST) == socket.gethostname()
        if run.status == "RUNNING" and is_own and not is_live(run):
            registry.set_status(run.run_id, "KILLED")


def is_live(run: ExperimentRun) -> bool:
    """Whether a process runs it, or has it in its queue."""
    return is_held(Access(run.results, inside=True))


def _checked(stages: Stages, options: Options) -> HereOptions:
    checked = checked_options(HereOptions, options, "here")
    if checked.jobs > 1:
        refuse_several_stages(stages, "--jobs")
    return checked


def _turns(work: Work, locks: ExitStack) -> Iterator[Turn]:
    """Lock and schedule the runs of an experiment."""
    registry = open_registry(work.project, work.experiment.env)
    remedy = "wait until it has ended, or stop it"
    for seed in work.seeds:
        file = locks.enter_context(held(Access(work.results(seed), inside=True), remedy))
        tags = {LAUNCHER: "here", HOST: socket.gethostname()}
        run = work.schedule(registry, seed, tags)
        yield Turn(work, seed, registry, run, () if file is None else (file.fileno(),))


def _prepare(turns: Sequence[Turn], stop: Stop, tell: Tell) -> list[Turn]:
    """Make the data of all runs that lack them.

    Returns:
        The runs whose data are there.
    """
    work = {turn.work.name: turn.work for turn in turns}
    faults = {}
    for each in to_prepare(work.values()):
        log = each.folder / PREPARATION_LOG
        tell(f"{each.name}: prepares the data; output in {log}")
        child = make_data(each, log, stop, tell)
        if child.code() and not stop.times:
            faults[each.data.tag] = f"its data could not be made: {child.error()}"
    for each in work.values():
        while is_held(preparation_lock(each)) and not stop.times:
            stop.wait(_POLL_S)
    for turn in turns:
        if fault := faults.get(turn.work.data.tag):
            turn.registry.set_status(turn.run.run_id, "FAILED")
            tell(f"{turn.label}: FAILED, {fault}")
    return [turn for turn in turns if turn.work.data.tag not in faults]


def make_data(work: Work, log: Path, stop: Stop, tell: Tell) -> Child:
    """Prepare the data of an experiment.

    Args:
        work: The experiment.
        log: File for the output of the process.
        stop: The signals.
        tell: Takes a line about the progress now and then.

    Returns:
        The process, which has ended.
    """
    with held(preparation_lock(work), "wait until it has prepared the data"):
        child = Child(executable(preparation(work.experiment)), work.project.path, log, WIDE)
        with progress_shown(lambda: [(f"{work.name}: data", child)], tell) as show:
            while child.code() is None:
                stop.pass_on([child])
                stop.wait(_POLL_S)
                show()
    return child

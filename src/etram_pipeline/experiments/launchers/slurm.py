"""Runs experiments as jobs of a SLURM cluster, one for each seed."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from etram_pipeline.core.mappings import flatten
from etram_pipeline.experiments.command import executable, preparation, run_command
from etram_pipeline.experiments.definition import Experiment
from etram_pipeline.experiments.launchers import Options, Stages, Tell
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import (
    DATA,
    JOB,
    JOB_STATE,
    LAUNCHER,
    ExperimentRun,
    Registry,
    open_registry,
)
from etram_pipeline.experiments.slurm.cluster import (
    ACTIVE,
    SlurmError,
    cancel,
    find_states,
    require_slurm,
    status_of,
    submit,
)
from etram_pipeline.experiments.slurm.resources import Resources, read_resources
from etram_pipeline.experiments.slurm.script import Job, tasks_of, write_script
from etram_pipeline.experiments.validation import nested
from etram_pipeline.experiments.work import Work, refuse_several_stages, to_prepare
from etram_pipeline.mlflow_logging.run_log import RUN_ID

logger = logging.getLogger(__name__)

DATA_JOB = "slurm.data_job_id"
"""Tag with the job that makes the data of a run."""

_LOG = "slurm-%j.log"


def preview(stages: Stages, options: Options) -> str:
    """The script of each job; numbers that only a submission gives are in angle brackets."""
    refuse_several_stages(stages, "--on slurm")
    scripts = []
    for stage in stages:
        prepared = {each.data.tag: "<job of the data>" for each in to_prepare(stage)}
        for each in to_prepare(stage):
            resources = _resources(each, options)
            scripts.append(write_script(_data_job(each), resources))
        for each in stage:
            resources = _resources(each, options)
            for seed in each.seeds:
                job = _run_job(each, seed, resources, prepared.get(each.data.tag, ""))
                named = replace(job, variables={RUN_ID: "<id of the run>"})
                scripts.append(write_script(named, resources))
    return "\n".join(scripts)


def launch(stages: Stages, options: Options, tell: Tell) -> None:
    """Submit the jobs, and return.

    Raises:
        ConfigurationError: If an option or `resources.yml` is wrong, or experiments cannot run side
            by side.
        SlurmError: If SLURM refuses a job.
    """
    refuse_several_stages(stages, "--on slurm")
    for each in stages[0]:  # before anything is submitted
        _run_job(each, each.seeds[0], _resources(each, options), "")
    require_slurm()
    data_jobs: dict[str, str] = {}
    for each in to_prepare(stages[0]):
        job = submit(write_script(_made(_data_job(each)), _resources(each, options)))
        data_jobs[each.data.tag] = job
        tell(f"{each.name}: job {job} prepares the data")
    submitted: set[str] = set()
    try:
        for each in stages[0]:
            for _ in _submit(each, options, data_jobs.get(each.data.tag), tell):
                submitted.add(each.data.tag)
    except BaseException:
        for tag, job in data_jobs.items():
            if tag not in submitted:  # no run needs it
                cancel(job)
        raise


def refresh(registry: Registry, runs: Sequence[ExperimentRun]) -> None:
    """Give runs the states of their jobs; a run that is finished in MLflow stays so."""
    asked = {run.tags[JOB]: run for run in runs if JOB in run.tags and is_live(run)}
    try:
        states = find_states(asked)
    except SlurmError as error:
        logger.warning("the states of jobs are unknown: %s", error)
        return
    for job, state in states.items():
        run = registry.run(asked[job].run_id)  # the job may have finished it since
        if run.tags.get(JOB_STATE) != state:
            registry.tag(run.run_id, {JOB_STATE: state})
        status = status_of(state)
        # A job that still ends must not bring its run back to life; one that waits again does.
        is_newer = not run.has_ended or status == "SCHEDULED"
        if run.status not in {"FINISHED", status} and is_newer:
            registry.set_status(run.run_id, status)


def is_live(run: ExperimentRun) -> bool:
    """Whether its job has not ended, by the state last asked for."""
    return JOB in run.tags and run.tags.get(JOB_STATE, "PENDING") in ACTIVE


def _submit(work: Work, options: Options, data_job: str | None, tell: Tell) -> Iterator[str]:
    """Register and submit the runs of an experiment, one after the other."""
    registry = open_registry(work.project, work.experiment.env)
    resources = _resources(work, options)
    after = data_job or (_data_job_of_others(work, registry) if work.is_prepared else "")
    for seed in work.seeds:
        job = _made(_run_job(work, seed, resources, after))
        tags = {LAUNCHER: "slurm", **({DATA_JOB: after} if after else {})}
        run = work.schedule(registry, seed, tags)
        try:
            number = submit(write_script(replace(job, variables={RUN_ID: run.run_id}), resources))
        except BaseException:
            registry.set_status(run.run_id, "FAILED")
            registry.tag(run.run_id, {JOB_STATE: "REFUSED"})
            raise
        # Together: `status` may have asked for the former job of the run meanwhile.
        registry.tag(run.run_id, {JOB_STATE: "PENDING", JOB: number})
        tell(f"{work.label(seed)}: job {number}; output in {job.log.parent}")
        yield number


def _data_job_of_others(work: Work, registry: Registry) -> str:
    """The job that makes the same data for runs of an earlier launch; empty if it has ended."""
    jobs = {
        run.tags[DATA_JOB]
        for run in registry.runs()
        if run.tags.get(DATA) == work.data.tag and DATA_JOB in run.tags and is_live(run)
    }
    states = find_states(jobs)
    return ":".join(job for job in sorted(jobs) if states[job] in ACTIVE)


def _resources(work: Work, options: Options) -> Resources:
    return read_resources(work.project, work.experiment.env, options)


def _data_job(work: Work) -> Job:
    return Job(
        name=f"{work.name}-data",
        command=executable(preparation(work.experiment)),
        folder=work.project.path,
        log=work.folder / _LOG,
        size=work.experiment.size,
    )


def _run_job(work: Work, seed: int, resources: Resources, after: str) -> Job:
    parameters = _parameters(work.project, work.experiment)
    devices, nodes = parameters["train.devices"], parameters["train.num_nodes"]
    experiment = work.experiment
    if resources.halve_batch:
        experiment = halved(experiment, parameters)
    return Job(
        name=f"{work.name}-{seed}",
        command=executable(run_command(experiment, seed, work.project.written(work.results(seed)))),
        folder=work.project.path,
        log=work.results(seed) / _LOG,
        size=experiment.size,
        devices=devices,
        nodes=nodes,
        tasks=tasks_of(parameters["train.launcher"], devices),
        after=after,
    )


def _made(job: Job) -> Job:
    """The same job; the folder of its output is made, because SLURM would lose the output."""
    job.log.parent.mkdir(parents=True, exist_ok=True)
    return job


def _parameters(project: Project, experiment: Experiment) -> Mapping[str, Any]:
    """Parameters of the training by dotted key, with their defaults."""
    from etram_pipeline.training.settings import TrainSettings

    raw = project.loader(experiment.env, nested(experiment.parameters))["parameters"]
    return flatten(TrainSettings.model_validate(raw["train"]), "train")


def halved(experiment: Experiment, parameters: Mapping[str, Any]) -> Experiment:
    """The same experiment with at most half as many lanes and the same number of clips per step.

    Args:
        experiment: The experiment.
        parameters: Its parameters by dotted key, with their defaults.
    """
    lanes, accumulate = parameters["train.lanes"], parameters["train.optimizer.accumulate"]
    fewer = next(number for number in range(max(lanes // 2, 1), 0, -1) if lanes % number == 0)
    changed = {
        "train.lanes": fewer,
        "train.optimizer.accumulate": accumulate * lanes // fewer,
    }
    return experiment.model_copy(update={"params": {**flatten(dict(experiment.params)), **changed}})

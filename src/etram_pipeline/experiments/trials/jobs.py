"""Workers of a search as jobs of a SLURM cluster: each runs the command of the search itself."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from etram_pipeline.core.files import written_whole
from etram_pipeline.experiments.command import executable
from etram_pipeline.experiments.slurm.cluster import ACTIVE, find_states, require_slurm, submit
from etram_pipeline.experiments.slurm.resources import read_resources
from etram_pipeline.experiments.slurm.script import Job, tasks_of, write_script
from etram_pipeline.experiments.trials.plan import Search
from etram_pipeline.experiments.trials.worker import WorkOptions
from etram_pipeline.yaml_files import ConfigurationError

_JOBS = "jobs.json"


def active_jobs(search: Search) -> list[str]:
    """Numbers of the jobs of a search that wait or run.

    Raises:
        SlurmError: If SLURM does not answer.
    """
    path = search.folder / _JOBS
    jobs = list(map(str, json.loads(path.read_text()))) if path.exists() else []
    states = find_states(jobs) if jobs else {}
    return [job for job in jobs if states.get(job) in ACTIVE]


def submit_workers(search: Search, options: WorkOptions, given: Mapping[str, Any]) -> list[str]:
    """Submit a job for each worker.

    Args:
        search: The search.
        options: How much to run.
        given: What the command line sets for the launcher.

    Returns:
        Numbers of the jobs.

    Raises:
        ConfigurationError: If an option or `resources.yml` is wrong, or halves batches.
        SlurmError: If SLURM refuses a job.
    """
    require_slurm()
    resources = read_resources(search.project, search.experiment.env, given)
    if resources.halve_batch:
        raise ConfigurationError(
            "resources.yml: halve_batch does not act on a search, whose trials may change the "
            "batch themselves: set it to false, and set train.lanes and "
            f"train.optimizer.accumulate in the `params` of {search.name}"
        )
    train = search.train
    job = Job(
        name=f"{search.name}-search",
        command=executable(worker_command(search.name, options)),
        folder=search.project.path,
        log=search.folder / "slurm-%j.log",
        size=search.experiment.size,
        devices=train.devices,
        nodes=train.num_nodes,
        tasks=tasks_of(train.launcher, train.devices),
    )
    script = write_script(job, resources)
    submitted: list[str] = []
    for _ in range(options.workers):
        submitted.append(submit(script))
        _note(search, submitted)
    return submitted


def worker_command(name: str, options: WorkOptions) -> list[str]:
    """The command of a worker, which leaves the best values to the command that is typed."""
    trials = [] if options.trials is None else ["--trials", str(options.trials)]
    hours = [] if options.hours is None else ["--hours", str(options.hours)]
    prune = [] if options.prune else ["--no-prune"]
    return ["kedro", "experiments", "search", name, *trials, *hours, *prune, "--no-rerun"]


def _note(search: Search, jobs: Sequence[str]) -> None:
    with written_whole(search.folder / _JOBS) as partial:
        partial.write_text(json.dumps(jobs))

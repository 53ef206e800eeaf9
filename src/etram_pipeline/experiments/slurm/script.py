"""Scripts of jobs, as `sbatch` reads them."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from etram_pipeline.experiments.slurm.resources import Resources
from etram_pipeline.yaml_files import ConfigurationError


@dataclass(frozen=True)
class Job:
    """A command to run as a job.

    Attributes:
        name: Name of the job.
        command: The command.
        folder: Its working directory.
        log: File for its output; `%j` stands for the number of the job.
        size: Selects memory and time limit.
        devices: GPUs on each machine; 0: none.
        nodes: Machines.
        tasks: Tasks on each machine, which `srun` starts.
        variables: Environment variables.
        after: Number of the job that has to succeed first; empty: none.
    """

    name: str
    command: Sequence[str]
    folder: Path
    log: Path
    size: str
    devices: int = 0
    nodes: int = 1
    tasks: int = 1
    variables: Mapping[str, str] = field(default_factory=dict)
    after: str = ""


def tasks_of(launcher: str | None, devices: int) -> int:
    """Tasks on each machine: one per device if `train.launcher` starts them by `srun`."""
    return devices if shlex.split(launcher or "")[:1] == ["srun"] else 1


def write_script(job: Job, resources: Resources) -> str:
    """The script of a job.

    Raises:
        ConfigurationError: If `resources.yml` lacks the size of the job.
    """
    lines = [f"#SBATCH --{name}{_value(value)}" for name, value in _options(job, resources).items()]
    exports = [f"export {name}={shlex.quote(value)}" for name, value in job.variables.items()]
    return "\n".join(
        [
            "#!/bin/bash",
            *lines,
            "set -e",
            f"cd {shlex.quote(str(job.folder))}",
            *resources.setup,
            *exports,
            # In place of the shell, which gets the signal before the time limit.
            f"exec {shlex.join(job.command)}",
            "",
        ]
    )


def _options(job: Job, resources: Resources) -> dict[str, str | int | bool]:
    size = {str(name): each for name, each in resources.sizes.items()}.get(job.size)
    if size is None:
        known = ", ".join(resources.sizes)
        raise ConfigurationError(f"resources.yml: sizes: {job.size} is missing; it has {known}")
    gpus = job.devices if resources.gpu else 0
    kind = "" if resources.gpu == "any" else f":{resources.gpu}"
    per_task = -(-resources.cpus * max(gpus, 1) // job.tasks)
    mail = {"mail-user": resources.mail_user, "mail-type": resources.mail_type}
    wanted = {
        "job-name": job.name,
        "output": str(job.log.parent).replace("%", "%%") + f"/{job.log.name}",
        "open-mode": "append",
        "nodes": job.nodes,
        "ntasks-per-node": job.tasks,
        "cpus-per-task": per_task,
        "mem": size.memory,
        "time": size.time,
        "gres": f"gpu{kind}:{gpus}" if gpus else None,
        "account": resources.account,
        "partition": resources.partition,
        **(mail if resources.mail_user else {}),
        "dependency": f"afterok:{job.after}" if job.after else None,
        "kill-on-invalid-dep": "yes" if job.after else None,
        "signal": f"B:USR1@{resources.signal_s}",
        "requeue": True,
        **resources.options,
    }
    return {name: value for name, value in wanted.items() if value not in (None, False)}


def _value(value: str | int | bool) -> str:  # noqa: FBT001  # an option's value
    return "" if value is True else f"={shlex.quote(str(value))}"

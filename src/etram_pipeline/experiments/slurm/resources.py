"""What jobs ask a SLURM cluster for, as `conf/*/resources.yml` describes it."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from etram_pipeline.core.component import Settings
from etram_pipeline.core.validation_errors import describe_errors
from etram_pipeline.experiments.definition import Size
from etram_pipeline.experiments.launchers import checked_options
from etram_pipeline.experiments.project import Project
from etram_pipeline.yaml_files import ConfigurationError


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line")
    return text


_EARLY_S = 60
"""How much earlier than asked for SLURM may send a signal (sbatch, option `--signal`)."""

_CLOCK_PARTS = 3

Memory = Annotated[str, StringConstraints(pattern=r"^\d+[KMGT]?$")]
TimeLimit = Annotated[str, StringConstraints(pattern=r"^(\d+-)?\d+(:\d+){0,2}$")]
Option = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
Line = Annotated[str, Field(min_length=1), AfterValidator(_one_line)]


class SizeResources(Settings):
    """Resources that depend on the size of the detector.

    Attributes:
        memory: Of a job on each machine, as SLURM writes it: `48G`.
        time: Time limit, as SLURM writes it: `08:00:00`, `1-00:00:00`, or minutes.
    """

    memory: Memory
    time: TimeLimit


class Resources(Settings):
    """Settings in `conf/*/resources.yml`.

    Attributes:
        sizes: Memory and time by the `size` of an experiment.
        gpu: Kind of GPU, `any` for whichever, None for none; one per device of the training.
        cpus: Cores for each GPU, or for a job without.
        account: Account that is charged; None: the default one of the user.
        partition: Partition; None: the default one.
        mail_user: Address for mails; None: no mails.
        mail_type: Events that send a mail.
        setup: Lines of shell before the command, such as `module load cuda`.
        options: Further options of `sbatch` by name without dashes; True for those without value.
        halve_batch: Whether to train with half as many lanes, and to sum the gradients of twice as
            many batches, which needs less memory.
        signal_s: Seconds before the time limit at which a run is saved, and its job queued again.
    """

    sizes: Mapping[Size, SizeResources]
    gpu: Line | None = "a100"
    cpus: int = Field(default=8, ge=1)
    account: Line | None = None
    partition: Line | None = None
    mail_user: Line | None = None
    mail_type: Line = "END,FAIL"
    setup: tuple[Line, ...] = ()
    options: Mapping[Option, Line | int | bool] = Field(default_factory=dict)
    halve_batch: bool = False
    signal_s: int = Field(default=120, ge=1, le=65535)


class SlurmOptions(Settings):
    """What the command line sets; None: as in `resources.yml`.

    Attributes:
        account: As in `Resources`.
        partition: As in `Resources`.
        mail_user: As in `Resources`.
        time: For all sizes.
        memory: For all sizes.
        halve_batch: As in `Resources`.
    """

    account: Line | None = None
    partition: Line | None = None
    mail_user: Line | None = None
    time: TimeLimit | None = None
    memory: Memory | None = None
    halve_batch: bool | None = None


def read_resources(project: Project, env: str | None, given: Mapping[str, Any]) -> Resources:
    """Resources of an environment, with those of the command line.

    Raises:
        ConfigurationError: With a line for each wrong value.
    """
    options = checked_options(SlurmOptions, given, "slurm").model_dump(exclude_none=True)
    of_size: dict[str, Any] = {
        key: options.pop(key) for key in ("time", "memory") if key in options
    }
    try:
        found = Resources.model_validate(project.loader(env)["resources"])
    except ValidationError as error:
        faults = "; ".join(describe_errors(error))
        raise ConfigurationError(f"resources.yml: {faults}") from error
    sizes = {name: size.model_copy(update=of_size) for name, size in found.sizes.items()}
    _check_time_limits(sizes, found.signal_s)
    return found.model_copy(update={**options, "sizes": sizes})


def _check_time_limits(sizes: Mapping[Size, SizeResources], signal_s: int) -> None:
    """Refuse limits that leave no time for the run, which would be queued again for ever."""
    least_s = signal_s + _EARLY_S
    for name, size in sizes.items():
        limit_s = _seconds(size.time)
        if 0 < limit_s <= least_s:
            raise ConfigurationError(
                f"resources.yml: sizes.{name}.time: {size.time} is {limit_s} s, but a run is saved "
                f"up to {least_s} s before the limit (signal_s, and {_EARLY_S} s by which SLURM "
                "may be early): give more time, or lower signal_s"
            )


def _seconds(limit: str) -> int:
    """A time limit in seconds; 0 for none.

    Source: sbatch, option `--time`: minutes, minutes:seconds, hours:minutes:seconds, days-hours,
    days-hours:minutes and days-hours:minutes:seconds.
    """
    days, dash, rest = limit.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if not dash and len(parts) < _CLOCK_PARTS:
        parts = [0, *parts]
    hours, minutes, seconds = (*parts, 0, 0)[:_CLOCK_PARTS]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds

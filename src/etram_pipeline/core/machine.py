"""Cores and memory of this machine, and the place of this process among others."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

Workers = Annotated[int, Field(ge=0)] | Literal["auto"]
"""Processes that read clips; 0: a thread reads them; `auto`: as many as make sense."""


class _Share:
    """Cores that this process is to use; 0 means all that it may use."""

    cores = 0


def num_cores() -> int:
    """Cores for this process: its share, or all that a scheduler lets it use."""
    return _Share.cores or available_cores()


def available_cores(control_groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores this process may use, which a scheduler or a container may have made fewer.

    Args:
        control_groups: File system with the CPU quota of a container.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(allowed or 1, _quota(control_groups) or sys.maxsize)


def _quota(control_groups: Path) -> int:
    """Cores that a container's share of time amounts to, rounded up; 0 where it has no limit."""
    for names in (["cpu.max"], ["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"]):
        try:
            words = " ".join((control_groups / name).read_text() for name in names).split()
            quota, period = map(int, words)
        except (OSError, ValueError):  # no such file, or the word `max`
            continue
        return max(0, -(-quota // period))
    return 0


def available_memory(
    meminfo: Path = Path("/proc/meminfo"),
    own_groups: Path = Path("/proc/self/cgroup"),
    control_groups: Path = Path("/sys/fs/cgroup"),
) -> int | None:
    """Bytes that this process may still use, which a scheduler or a container may have made fewer.

    Args:
        meminfo: File with the free memory of the machine.
        own_groups: File with the control groups of the process.
        control_groups: File system with the limits of control groups.

    Returns:
        None if the system does not provide it.
    """
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        left = [1024 * int(lines["MemAvailable"].split()[0])]
        paths = [line.split(":", 2)[2].strip("/") for line in own_groups.read_text().splitlines()]
    except (OSError, ValueError, LookupError):
        return None
    for path in {*paths, ""}:
        for group in (Path(path), *Path(path).parents):
            left += _left_of_group(control_groups / group, "memory.max", "memory.current")
            left += _left_of_group(
                control_groups / "memory" / group,
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
            )
    return min(left)


def _left_of_group(folder: Path, limit: str, usage: str) -> list[int]:
    """Bytes a group may still use, files kept in memory not counted; nothing without a limit."""
    try:
        most, used = (int((folder / name).read_text()) for name in (limit, usage))
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such group, or the word `max`
        return []
    cached = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
    return [max(most - used + cached, 0)]


def is_first_process() -> bool:
    """Whether this is the first of the processes that a launcher started, or the only one.

    torchrun numbers all processes, Lightning's launcher the machines and the processes of each,
    and srun all tasks. Inside a job of SLURM, the first two count: they start their own processes.
    """
    for names in (["RANK"], ["LOCAL_RANK", "NODE_RANK"], ["SLURM_PROCID"]):
        if os.environ.get(names[0]):  # an empty one says nothing
            return all((os.environ.get(name) or "0") == "0" for name in names)
    return True


def set_num_cores(cores: int) -> None:
    """Use only so many from now on, because other processes work beside this one."""
    _Share.cores = cores

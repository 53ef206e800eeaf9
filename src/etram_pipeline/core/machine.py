"""Cores and memory available to this process, and its rank among launched processes."""

import os
import platform
import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

Workers = Annotated[int, Field(ge=0)] | Literal["auto"]
"""Number of processes that read clips. 0: a thread reads them. `auto`: chosen automatically."""


class _Share:
    """Cores assigned to this process; 0 means all available ones."""

    cores = 0


def num_cores() -> int:
    """Cores this process should use: its assigned share, or all available ones."""
    return _Share.cores or available_cores()


def available_cores(control_groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores this process may use, within the limits of a scheduler or a container.

    Args:
        control_groups: Folder of the control groups of Linux, which hold the CPU quota.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(allowed or 1, _quota(control_groups) or sys.maxsize)


def _quota(control_groups: Path) -> int:
    """CPU quota of a container in cores, rounded up; 0 if there is no limit."""
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
    """Memory that is still available to this process, in bytes.

    Limits of a scheduler or a container are respected.

    Args:
        meminfo: File in which Linux reports the free memory of the machine.
        own_groups: File in which Linux lists the control groups of this process.
        control_groups: Folder of the control groups, which hold their limits.

    Returns:
        The number of bytes; None if the system does not report it.
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
    """Bytes still available to a control group, including file caches; empty without a limit."""
    try:
        most, used = (int((folder / name).read_text()) for name in (limit, usage))
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such group, or the word `max`
        return []
    cached = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
    return [max(most - used + cached, 0)]


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name of the processor, if the system reports it.

    Args:
        cpuinfo: File in which Linux describes each processor.
    """
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


def peak_memory(status: Path = Path("/proc/self/status")) -> int:
    """Most memory that this process has used, in bytes.

    Args:
        status: File in which Linux reports the memory of this process.
    """
    lines = status.read_text().splitlines() if status.is_file() else []
    found = [1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    if found:
        return found[0]
    import resource  # not on Windows; after a fork, it starts with the memory of the parent

    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def graphics_cards(driver: Path = Path("/proc/driver/nvidia/gpus")) -> list[str]:
    """Models of NVIDIA's cards in this machine, without loading CUDA: `NVIDIA H200`.

    Args:
        driver: Folder in which the driver describes each card.
    """
    models = []
    for path in sorted(driver.glob("*/information")):
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        pairs = (line.partition(":") for line in lines)
        models += [value.strip() for key, _, value in pairs if key == "Model"]
    return models


def is_first_process() -> bool:
    """Whether this is the only process, or the first one that a launcher started.

    torchrun numbers all processes, Lightning numbers the nodes and the processes on each node, and
    srun numbers all tasks. Within a SLURM job, torchrun and Lightning take precedence, because they
    start their own processes.
    """
    for names in (["RANK"], ["LOCAL_RANK", "NODE_RANK"], ["SLURM_PROCID"]):
        if os.environ.get(names[0]):  # an empty value means nothing
            return all((os.environ.get(name) or "0") == "0" for name in names)
    return True


def set_num_cores(cores: int) -> None:
    """Limit this process to a number of cores, because other processes share the machine."""
    _Share.cores = cores

"""What the machine offers."""

import os
import sys
from pathlib import Path


class _Share:
    """Cores that this process is to make do with; 0 means all that it may use."""

    cores = 0


def num_cores() -> int:
    """Cores for this process: its share, or all that a scheduler lets it use."""
    return _Share.cores or available_cores()


def available_cores(control_groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores this process may use, which a scheduler or a container may have made fewer.

    Args:
        control_groups: Where Linux tells how much time of all cores a container may use.
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


def share_cores(cores: int) -> None:
    """Make do with so many from now on, because other processes work beside this one."""
    _Share.cores = cores

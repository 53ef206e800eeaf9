"""What the machine offers."""

import os


class _Share:
    """Cores that this process is to make do with; 0 means all that it may use."""

    cores = 0


def num_cores() -> int:
    """Cores for this process: its share, or all that a scheduler lets it use."""
    return _Share.cores or available_cores()


def available_cores() -> int:
    """Cores this process may use, which a scheduler may have made fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_cores(cores: int) -> None:
    """Make do with so many from now on, because other processes work beside this one."""
    _Share.cores = cores

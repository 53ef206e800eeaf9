"""How much of the machine other processes used meanwhile."""

import os
import time
from pathlib import Path

_IDLE = (3, 4)
"""Columns of the time in which the processors waited, and waited for a disk."""
_GUEST = 8
"""First of the columns that are counted in others too."""


class OtherWork:
    """Measures from its making on.

    Args:
        stat: File in which Linux counts the time of all processors.
    """

    def __init__(self, stat: Path = Path("/proc/stat")) -> None:
        self._stat = stat
        self._before = _times(stat)
        self._own_before_s = time.process_time()

    def share(self) -> float | None:
        """Share of the time of all processors that others used; None if it is not reported."""
        after = _times(self._stat)
        if self._before is None or after is None:
            return None
        ticks_per_s = os.sysconf("SC_CLK_TCK")
        busy, total = ((b - a) / ticks_per_s for a, b in zip(self._before, after, strict=True))
        if total <= 0:
            return 0.0
        own = time.process_time() - self._own_before_s
        return min(1.0, max(0.0, busy - own) / total)


def _times(stat: Path) -> tuple[int, int] | None:
    """Busy and total time of all processors, in ticks."""
    try:
        first = stat.read_text().splitlines()[0].split()
    except (OSError, IndexError):
        return None
    ticks = [int(each) for each in first[1 : 1 + _GUEST]]
    total = sum(ticks)
    return total - sum(ticks[column] for column in _IDLE), total

"""Percentiles of many durations in little memory."""

import numpy as np

_LEAST_MS = 0.01
_RATIO = 1.01
_NUM_BINS = 2000
"""Bins whose bounds grow by a hundredth, up to more than an hour."""


class Latencies:
    """Counts durations, however many, and says which share of them took no longer."""

    def __init__(self) -> None:
        self._counts = np.zeros(_NUM_BINS, np.int64)

    def add(self, latency_ms: float) -> None:
        """Count one duration."""
        number = np.log(max(latency_ms, _LEAST_MS) / _LEAST_MS) / np.log(_RATIO)
        self._counts[min(round(float(number)), _NUM_BINS - 1)] += 1

    def percentile(self, percent: int) -> float:
        """Duration in milliseconds that `percent` of all do not exceed, within a hundredth.

        NaN if there is none.
        """
        total = int(self._counts.sum())
        if not total:
            return float("nan")
        wanted = max(1, int(np.ceil(total * percent / 100)))
        number = int(np.searchsorted(np.cumsum(self._counts), wanted))
        return float(_LEAST_MS * _RATIO**number)

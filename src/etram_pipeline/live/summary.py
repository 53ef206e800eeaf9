"""What a live program says when it ends."""

import time
from collections.abc import Iterator

from etram_pipeline.live.latencies import Latencies
from etram_pipeline.streaming.live import LiveReport, LiveResult

_PERCENTS = (50, 95, 99)


class Summary:
    """Gathers what happened to windows."""

    def __init__(self, step_us: int) -> None:
        """Begin; windows end `step_us` microseconds apart."""
        self._step_us = step_us
        self._latencies = Latencies()
        self._start_s = time.perf_counter()

    def add(self, found: LiveResult) -> None:
        """Note the latency of a window in which was detected."""
        if not found.result.is_held:
            self._latencies.add(found.latency_ms)

    def lines(self, report: LiveReport) -> Iterator[str]:
        """The summary, line by line.

        Args:
            report: Counts of the stream.
        """
        passed_s = time.perf_counter() - self._start_s
        ratio = report.windows * self._step_us / 1e6 / passed_s
        yield (
            f"{report.windows:,} windows in {passed_s:.1f} s, {ratio:.2f} x real time: "
            f"{report.detected:,} detected, {report.held:,} held, {report.skipped:,} left out"
        )
        if report.detected:
            values = ((each, self._latencies.percentile(each)) for each in _PERCENTS)
            yield "latency " + ", ".join(f"p{each} {value:.1f} ms" for each, value in values)
        yield (
            f"{report.events:,} events: {report.outside:,} outside the sensor, {report.late:,} "
            f"late, {report.early:,} early, {report.wild + report.crowded:,} left out as wrong"
        )
        source = report.source
        yield (
            f"{source.packets:,} packets: {source.lost:,} lost, "
            f"{source.foreign + source.truncated + source.repeated:,} foreign, cut off or "
            f"repeated; {source.reconnects:,} reconnects, {report.restarts:,} new clocks"
        )

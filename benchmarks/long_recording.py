"""Time and peak memory of following the road users of one long recording.

`python -m benchmarks.tracking --hours 3` simulates it and measures this module in a process of its
own, which imports no more than the tracker does.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from benchmarks.junction import HEIGHT, WIDTH, simulate

from etram_pipeline.core.etram import CLASSES
from etram_pipeline.tracks.following import track_recording
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.settings import TrackSettings

USERS_PER_HOUR = 850
"""About ten road users at a time."""


def follow_hours(hours: float) -> None:
    """Simulate a long recording, and follow it in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "detections.npz"
        labels, detections, times_us = simulate(0, hours * 3600, USERS_PER_HOUR)
        np.savez(path, detections=detections, times_us=times_us)
        at_a_time = len(labels) / len(np.unique(labels["t"]))
        print(f"{hours:g} h, {at_a_time:.1f} road users at a time, {len(detections):,} detections")
        print("             seconds   CPU s  tracks       rows  peak MB before  peak MB")
        command = [sys.executable, "-m", "benchmarks.long_recording", str(path)]
        subprocess.run(command, check=True)


def follow_file(path: Path) -> None:
    """Print the line of one recording."""
    with np.load(path) as file:
        detections, times_us = file["detections"], file["times_us"]
    before_mb = peak_mb()
    start, start_cpu = time.perf_counter(), time.process_time()
    observed = Observed(WIDTH, HEIGHT, 0, int(times_us[-1]))
    tracks = track_recording(detections, times_us, observed, CLASSES, TrackSettings())
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - start_cpu
    print(
        f"{seconds:20.1f} {cpu_seconds:7.1f} {tracks['track_id'].max():7d} {len(tracks):10d} "
        f"{before_mb:15.0f} {peak_mb():8.0f}"
    )


def peak_mb() -> float:
    """Largest memory of this process so far; that of `getrusage` includes the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    follow_file(Path(sys.argv[1]))

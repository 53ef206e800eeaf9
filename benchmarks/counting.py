"""Time and memory of counting by the length of a recording.

    python -m benchmarks.counting                # up to three hours
    python -m benchmarks.counting --hours 0.1    # quick

Road users cross a junction with four lines, two zones and known points of the ground, and every
tenth one waits in a zone for a minute. Each line is measured in a separate process, so that its
peak memory is not affected by others. On a shared machine, compare CPU seconds.
"""

import argparse
import platform
import resource
import subprocess
import sys
import time

import numpy as np
from benchmarks.hardware import describe_cpu

from etram_pipeline.core.etram import CLASSES
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import RESTED, TrackTable, empty_tracks
from etram_pipeline.traffic import tables
from etram_pipeline.traffic.counting import count_recording
from etram_pipeline.traffic.default_sites import border_site
from etram_pipeline.traffic.settings import CountSettings
from etram_pipeline.traffic.site import Ground, Site, Zone

WIDTH, HEIGHT = 1280, 720
WINDOW_US = 50_000
ROWS_PASSING, ROWS_WAITING = 120, 1200
MB = 2**20
TABLES = (
    tables.crossings_rows,
    tables.counts_rows,
    tables.speed_rows,
    tables.turning_movement_rows,
    tables.zone_movement_rows,
    tables.zone_rows,
    tables.stay_rows,
)


def main() -> None:
    """Print one line per length."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, nargs="+", default=[0.5, 1, 3])
    parser.add_argument("--users-per-hour", type=int, default=3600)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        measure(arguments.hours[0], arguments.users_per_hour)
        return
    print(f"{describe_cpu()}, Python {platform.python_version()}")
    print("hours  tracks     rows  table MB  peak MB  count CPU s   rows/s  tables CPU s")
    for hours in arguments.hours:
        options = ["--hours", str(hours), "--users-per-hour", str(arguments.users_per_hour)]
        command = [sys.executable, "-m", "benchmarks.counting", "--alone", *options]
        subprocess.run(command, check=True)


def measure(hours: float, users_per_hour: int) -> None:
    """Print the line of one length."""
    stop_us = round(hours * 3_600_000_000)
    tracks = make_tracks(np.random.default_rng(0), stop_us, round(hours * users_per_hour))
    observed = Observed(WIDTH, HEIGHT, 0, stop_us)
    start = time.process_time()
    traffic = count_recording(tracks, make_site(), observed, CountSettings(), CLASSES)
    counted = time.process_time()
    for rows in TABLES:
        rows({"recording": traffic})
    ended = time.process_time()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{hours:5g} {traffic.tracks['track_id'].max():7d} {len(tracks):8d} "
        f"{tracks.nbytes / MB:9.0f} {peak_mb:8.0f} {counted - start:12.1f} "
        f"{len(tracks) / (counted - start):8.0f} {ended - counted:13.1f}"
    )


def make_site() -> Site:
    """Lines at the border, a zone on the left and one on the right, and a flat ground."""
    corners = ((0.0, 0.0), (1280.0, 0.0), (1280.0, 720.0), (0.0, 720.0))
    zones = {
        name: Zone(polygon=((x, 100.0), (x + 300, 100.0), (x + 300, 600.0), (x, 600.0)))
        for name, x in (("left", 150.0), ("right", 830.0))
    }
    ground = Ground(points_px=corners, points_m=tuple((x / 20, -y / 20) for x, y in corners))
    return border_site(WIDTH, HEIGHT).model_copy(update={"zones": zones, "ground": ground})


def make_tracks(rng: np.random.Generator, stop_us: int, num_tracks: int) -> TrackTable:
    """Road users that drive straight over the sensor; every tenth waits on its way."""
    number = np.where(np.arange(num_tracks) % 10 == 0, ROWS_WAITING, 0) + ROWS_PASSING
    table = empty_tracks(int(number.sum()))
    windows = stop_us // WINDOW_US - number
    first = np.sort(rng.integers(1, np.maximum(windows, 2)))
    row = 0
    for k, (num_rows, window) in enumerate(zip(number.tolist(), first.tolist(), strict=True)):
        part = table[row : row + num_rows]
        part["t"] = WINDOW_US * (window + np.arange(num_rows))
        part["track_id"], part["class_id"] = k + 1, k % len(CLASSES)
        share = np.linspace(0, 1, ROWS_PASSING)
        share = np.insert(
            share, ROWS_PASSING // 4, [share[ROWS_PASSING // 4]] * (num_rows - ROWS_PASSING)
        )
        start, stop = rng.uniform(100, 600, 2)
        part["x"], part["y"] = (WIDTH - 40) * share, start + share * (stop - start)
        part["w"], part["h"], part["score"] = 40, 30, 0.9
        part["state"][ROWS_PASSING // 4 : num_rows - 3 * ROWS_PASSING // 4] = RESTED
        row += num_rows
    table.sort(order=["t", "track_id"])
    return table


if __name__ == "__main__":
    main()

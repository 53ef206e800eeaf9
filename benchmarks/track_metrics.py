"""Time and memory of scoring tracks by number of frames, compared with common libraries.

    python -m benchmarks.track_metrics                 # up to 60,000 frames
    python -m benchmarks.track_metrics --frames 1000   # quick

Each line is measured in a separate process, so that its peak memory is not affected by others. All
do the same work on the same boxes: from boxes to HOTA, CLEAR and identity metrics of all classes as
one, whose mean HOTA over recordings is printed. `evaluate` is everything that the evaluation does
by `etram_tracks_8class`: from tables to scores of each class with intervals. Use
`--libraries-up-to` to skip the libraries where they take too long. On a shared machine, compare CPU
seconds.
"""

import argparse
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from benchmarks.hardware import describe_cpu
from trackers.eval import (
    box_iou,
    compute_clear_metrics,
    compute_hota_metrics,
    compute_identity_metrics,
)

from etram_pipeline.evaluation.tracks import own_engine, trackeval_engine
from etram_pipeline.evaluation.tracks.comparing import Tables, compared_boxes
from etram_pipeline.evaluation.tracks.intervals import with_track_intervals
from etram_pipeline.evaluation.tracks.matching import Compared
from etram_pipeline.evaluation.tracks.protocols import TRACK_PROTOCOLS
from etram_pipeline.evaluation.tracks.scoring import evaluate_tracks
from etram_pipeline.tracks.table import TrackTable, empty_tracks, labelled_tracks

PROTOCOL = TRACK_PROTOCOLS["etram_tracks_any"]
CLASS_SHARES = (0.30, 0.55, 0.05, 0.03, 0.02, 0.03, 0.01, 0.01)
FRAMES_PER_RECORDING = 2_000
FRAMES_OF_A_USER = 100
BREAK, MISS, FALSE = 0.01, 0.1, 0.05
"""Shares of boxes with which a track ends, that are not tracked, and that track nothing."""

Recordings = dict[str, tuple[TrackTable, TrackTable]]
Scores = Callable[[Compared], float]


def main() -> None:
    """Print one line per number of frames and engine."""
    arguments = parse_arguments()
    if arguments.engine:
        measure(arguments.frames[0], arguments.users_per_frame, arguments.engine)
        return
    print(f"{describe_cpu()}, Python {platform.python_version()}")
    print("  frames   labels  tracked engine          seconds    CPU s  peak MB     HOTA")
    for frames in arguments.frames:
        for engine in (*ENGINES, "evaluate"):
            if engine in {"own", "evaluate"} or frames <= arguments.libraries_up_to:
                run_alone(frames, arguments.users_per_frame, engine)


def parse_arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[2_000, 10_000, 60_000])
    parser.add_argument("--users-per-frame", type=int, default=20)
    parser.add_argument("--libraries-up-to", type=int, default=10_000, metavar="FRAMES")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    return parser.parse_args()


def run_alone(frames: int, users_per_frame: int, engine: str) -> None:
    """Measure one engine in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.track_metrics", "--frames", str(frames)]
    options = ["--engine", engine, "--users-per-frame", str(users_per_frame)]
    subprocess.run([*command, *options], check=True)


def measure(frames: int, users_per_frame: int, engine: str) -> None:
    """Print the line of one engine."""
    recordings = make_recordings(frames, users_per_frame)
    own_engine.measure(compared_recordings(make_recordings(20, 3))[0], PROTOCOL)  # compile
    compared = compared_recordings(recordings) if engine in ENGINES else []
    start, start_cpu = time.perf_counter(), time.process_time()
    if compared:
        hota = float(np.mean([ENGINES[engine](each) for each in compared]))
    else:
        hota = evaluate(recordings)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - start_cpu
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    num_labels, num_tracked = (
        sum(map(len, each)) for each in zip(*recordings.values(), strict=True)
    )
    print(
        f"{frames:8d} {num_labels:8d} {num_tracked:8d} {engine:<14} "
        f"{seconds:8.2f} {cpu_seconds:8.2f} {peak_mb:8.0f} {hota:8.6f}"
    )


def compared_recordings(recordings: Recordings) -> list[Compared]:
    """The boxes that are compared."""
    return [
        compared_boxes(Tables(name, *each), PROTOCOL, None) for name, each in recordings.items()
    ]


def evaluate(recordings: Recordings) -> float:
    """Mean HOTA over classes, of all recordings together."""
    labels, tracks = ({name: each[side] for name, each in recordings.items()} for side in (0, 1))
    metrics = evaluate_tracks(labels, tracks, "etram_tracks_8class")
    return with_track_intervals(metrics).overall["HOTA"]


def own(compared: Compared) -> float:
    """HOTA of one recording by this project."""
    sums = own_engine.measure(compared, PROTOCOL)
    matched, ass_a = (np.array(sums.by_threshold[name]) for name in ("matched", "AssA"))
    det_a = matched / (sums.num_labels + sums.num_tracked - matched)
    return float(np.sqrt(det_a * ass_a / np.maximum(1, matched)).mean())


def trackeval(compared: Compared) -> float:
    """HOTA of one recording by TrackEval."""
    data = trackeval_engine.sequence(compared)
    hota, *_ = (metric.eval_sequence(data) for metric in trackeval_engine.metrics(PROTOCOL))
    return float(hota["HOTA"].mean())


def roboflow(compared: Compared) -> float:
    """HOTA of one recording by Roboflow's `trackers`."""
    label_starts, track_starts = (starts[1:-1] for starts in compared.starts)
    label_ids = np.split(compared.label_tracks.numbers, label_starts)
    track_ids = np.split(compared.tracks_of_boxes.numbers, track_starts)
    boxes = zip(
        np.split(compared.labels.boxes_xywh, label_starts),
        np.split(compared.tracks.boxes_xywh, track_starts),
        strict=True,
    )
    overlaps = [box_iou(labels, tracks, box_format="xywh") for labels, tracks in boxes]
    compute_clear_metrics(label_ids, track_ids, overlaps)
    compute_identity_metrics(label_ids, track_ids, overlaps)
    return float(compute_hota_metrics(label_ids, track_ids, overlaps)["HOTA"])


ENGINES: dict[str, Scores] = {"own": own, "trackers.eval": roboflow, "trackeval": trackeval}


def make_recordings(frames: int, users_per_frame: int) -> Recordings:
    """Labels and tracks of recordings at 10 Hz."""
    rng = np.random.default_rng(0)
    starts = range(0, frames, FRAMES_PER_RECORDING)
    lengths = [min(FRAMES_PER_RECORDING, frames - start) for start in starts]
    made = {}
    for number, length in enumerate(lengths):
        labels = make_labels(rng, length, users_per_frame)
        made[f"test/test_{'day' if number % 2 else 'night'}_{number:04d}"] = (
            labels,
            make_tracks(rng, labels),
        )
    return made


def make_labels(rng: np.random.Generator, frames: int, users_per_frame: int) -> TrackTable:
    """Road users of eTraM's classes that drive straight across its sensor."""
    num_users = max(frames * users_per_frame // FRAMES_OF_A_USER, 1)
    begin = rng.integers(1 - FRAMES_OF_A_USER, frames, num_users)
    size = rng.uniform((20, 20), (150, 110), (num_users, 2))
    place = rng.uniform((0, 60), (1100, 600), (num_users, 2))
    speed = rng.normal(0, (6, 1), (num_users, 2))
    age = np.tile(np.arange(FRAMES_OF_A_USER), num_users)
    user = np.repeat(np.arange(num_users), FRAMES_OF_A_USER)
    table = empty_tracks(len(user))
    table["t"] = (begin[user] + age + 1) * 100_000
    table["x"], table["y"] = (place[user] + speed[user] * age[:, None]).T
    table["w"], table["h"] = size[user].T
    table["track_id"] = user + 1
    table["class_id"] = rng.choice(len(CLASS_SHARES), num_users, p=CLASS_SHARES)[user]
    is_seen = (begin[user] + age >= 0) & (begin[user] + age < frames)
    return labelled_tracks(table[is_seen])


def make_tracks(rng: np.random.Generator, labels: TrackTable) -> TrackTable:
    """Tracks of the labels with jitter, misses and breaks, and some of nothing."""
    tracks = labels[np.lexsort((labels["t"], labels["track_id"]))]
    tracks["track_id"] = 1 + np.cumsum(
        (np.diff(tracks["track_id"], prepend=0) > 0) | (rng.random(len(tracks)) < BREAK)
    )
    for name, of in (("x", "w"), ("y", "h"), ("w", "w"), ("h", "h")):
        tracks[name] += rng.normal(0, 0.06, len(tracks)) * tracks[of]
    tracks["w"], tracks["h"] = tracks["w"].clip(2), tracks["h"].clip(2)
    stray = labels[rng.random(len(labels)) < FALSE]
    stray["x"] = (stray["x"] + 300) % 1280
    stray["track_id"] += tracks["track_id"].max(initial=0)
    found = np.concatenate([tracks[rng.random(len(tracks)) > MISS], stray])
    return found[np.lexsort((found["track_id"], found["t"]))]


if __name__ == "__main__":
    main()

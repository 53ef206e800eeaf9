"""Speed and scores of the tracker, beside the trackers of a common library.

    python -m benchmarks.tracking                # a simulated junction
    python -m benchmarks.tracking data           # the recordings of a finished run as well
    python -m benchmarks.tracking --hours 3      # time and peak memory of one long recording

All trackers get the same detections in one run, and whole tracks are finished alike. The time of
the library is that of its `update` alone, from detections that are ready for it; ours is that of
everything from the table of detections to the table of tracks. CPU seconds of the fastest of
several rounds are compared. The first run on a machine compiles for ten seconds.
"""

import argparse
import platform
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import supervision
from benchmarks.hardware import describe_cpu
from benchmarks.long_recording import follow_hours
from benchmarks.tracker_parts import Recording, simulated, stored

from etram_pipeline.core.etram import CLASSES
from etram_pipeline.evaluation.tracks.scoring import evaluate_tracks
from etram_pipeline.tracks.following import track_recording
from etram_pipeline.tracks.settings import TrackSettings
from etram_pipeline.tracks.table import TrackTable
from etram_pipeline.tracks.trackers.roboflow import Config

PROTOCOL = "etram_tracks_any"
LIBRARY = {
    "SORT": Config(algorithm="sort"),
    "ByteTrack": Config(algorithm="bytetrack"),
    "OC-SORT": Config(algorithm="ocsort"),
    "C-BIoU": Config(algorithm="cbiou"),
}
OURS = {"ours, nothing rests": {"rest_s": 0}, "ours": {}}


def main() -> None:
    """Print a table per source of detections, or the line of one long recording."""
    arguments = parse_arguments()
    print(f"{describe_cpu()}, Python {platform.python_version()}")
    if arguments.hours:
        follow_hours(arguments.hours)
        return
    compare("simulated junctions", dict(simulated()), arguments.rounds)
    if arguments.run:
        compare(
            f"test recordings of {arguments.run}",
            dict(stored(arguments.run, "test")),
            arguments.rounds,
        )


def parse_arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", help="folder `data` of a finished run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hours", type=float, help="length of one simulated recording")
    return parser.parse_args()


def compare(source: str, recordings: Mapping[str, Recording], rounds: int) -> None:
    """Print one line per tracker."""
    windows = sum(len(each.times_us) for each in recordings.values())
    detections = sum(len(each.detections) for each in recordings.values())
    print(
        f"\n{source}: {len(recordings)} recordings, {windows:,} windows, {detections:,} detections"
    )
    print("tracker                HOTA   IDF1  switches  tracks  windows/s  times as slow as ours")
    settings = {name: TrackSettings(tracker=config) for name, config in LIBRARY.items()}
    settings |= {
        name: TrackSettings.model_validate({"tracker": fields}) for name, fields in OURS.items()
    }
    tracks = {name: follow_all(recordings, each) for name, each in settings.items()}  # compiles
    measures: dict[str, Callable[[], float]] = {}
    for name, each in settings.items():
        config = LIBRARY.get(name)
        part = partial(follow_seconds, recordings, each)
        measures[name] = partial(update_seconds, recordings, config) if config else part
    measured = dict.fromkeys(measures, np.inf)
    for _ in range(rounds):  # one after another, so that a busy machine is as unfair to each
        measured = {name: min(measured[name], measures[name]()) for name in measures}
    labels = {name: each.labels for name, each in recordings.items()}
    for name, seconds in measured.items():
        metrics = evaluate_tracks(labels, tracks[name], PROTOCOL, CLASSES)
        made = sum(len(np.unique(each["track_id"])) for each in tracks[name].values())
        print(
            f"{name:<20} {metrics.overall['HOTA']:6.3f} {metrics.overall['IDF1']:6.3f} "
            f"{metrics.counts['IDSW']:9d} {made:7d} {windows / seconds:10,.0f} "
            f"{seconds / measured['ours']:8.1f}"
        )


def follow_all(
    recordings: Mapping[str, Recording], settings: TrackSettings
) -> dict[str, TrackTable]:
    """Tracks of all recordings."""
    return {
        name: track_recording(each.detections, each.times_us, each.observed, CLASSES, settings)
        for name, each in recordings.items()
    }


def follow_seconds(recordings: Mapping[str, Recording], settings: TrackSettings) -> float:
    """CPU seconds from detections to tracks."""
    start = time.process_time()
    follow_all(recordings, settings)
    return time.process_time() - start


def update_seconds(recordings: Mapping[str, Recording], config: Config) -> float:
    """CPU seconds that the library's tracker takes for all recordings."""
    seconds = 0.0
    for recording in recordings.values():
        tracker: Any = config.library_tracker()
        windows = library_windows(recording, config.low_score)
        start = time.process_time()
        for timestamp, detections in windows:
            tracker.update(detections, timestamp=timestamp)
        seconds += time.process_time() - start
    return seconds


def library_windows(
    recording: Recording, low_score: float
) -> list[tuple[float, supervision.Detections]]:
    """The detections of each window, as the library takes them, and its time in seconds."""
    found = recording.detections[recording.detections["score"] >= low_score]
    found = found[np.argsort(found["t"], kind="stable")]
    corners = (found["x"], found["y"], found["x"] + found["w"], found["y"] + found["h"])
    boxes = np.stack(corners, axis=1).astype(np.float32)
    class_ids = found["class_id"].astype(np.int64)
    bounds = zip(
        np.searchsorted(found["t"], recording.times_us),
        np.searchsorted(found["t"], recording.times_us, side="right"),
        strict=True,
    )
    return [
        (
            time_us / 1e6,
            supervision.Detections(
                xyxy=boxes[start:stop],
                confidence=found["score"][start:stop].astype(np.float32),
                class_id=class_ids[start:stop],
            ),
        )
        for time_us, (start, stop) in zip(recording.times_us.tolist(), bounds, strict=True)
    ]


if __name__ == "__main__":
    main()

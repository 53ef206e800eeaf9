r"""What each part of the tracker contributes, on stored detections.

    python -m benchmarks.tracker_parts data                     # the folder of a finished run
    python -m benchmarks.tracker_parts junction                 # a simulated junction with queues
    python -m benchmarks.tracker_parts data --split val \
        --change tracker.high_score=0.3 --change tracker.high_score=0.5 tracker.start_score=0.5

The first row are the default settings. Every other row is the difference that a change makes, with
its interval: the same recordings are compared with and without the change. Counts are those of
lines across the sensor; their truth is counted from the labelled tracks by the same rules.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from benchmarks.junction import HEIGHT, WIDTH, simulate
from jaxtyping import Int64

from etram_pipeline.core.etram import CLASSES
from etram_pipeline.core.mappings import merge
from etram_pipeline.core.recording_key import RecordingKey
from etram_pipeline.datasets.detection_store import DetectionStore
from etram_pipeline.evaluation.counts.paired import compare_count_metrics
from etram_pipeline.evaluation.counts.protocol import CountProtocol
from etram_pipeline.evaluation.counts.result import CountMetrics
from etram_pipeline.evaluation.counts.scoring import compare_counts
from etram_pipeline.evaluation.tracks.comparison import compare_tracks
from etram_pipeline.evaluation.tracks.intervals import with_track_intervals
from etram_pipeline.evaluation.tracks.result import TrackMetrics
from etram_pipeline.evaluation.tracks.scoring import evaluate_tracks
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.pipelines.track.nodes import observe, searched_us
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.tracks.following import track_recording
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.settings import TrackSettings
from etram_pipeline.tracks.table import TrackTable, labelled_tracks
from etram_pipeline.traffic.counting import count_recording
from etram_pipeline.traffic.crossings import Crossings
from etram_pipeline.traffic.default_sites import grid_site
from etram_pipeline.traffic.settings import CountSettings

PARTS: Mapping[str, Mapping[str, object]] = {
    "no rest": {"tracker.rest_s": 0},
    "no second stage": {"tracker.low_score": 0.4},
    "several boxes of one object": {"tracker.same_object_iou": 1},
    "no bridging": {"bridge_s": 0},
    "no smoothing": {"smooth": 0},
    "no least travel": {"least_travel": 0},
    "companions kept": {"companions": None},
    "online": {"online": True},
}
CLASS_OF_MOMENT = "no class vote"
PROTOCOLS = ("etram_tracks_8class", "etram_tracks_any")
JUNCTION_SEEDS, JUNCTION_S = range(10, 20), 120
COLUMNS = (
    "HOTA",
    "HOTA any",
    "IDF1 any",
    "IDSW",
    "tracks",
    "recall",
    "precision",
    "class",
    "error",
)


@dataclass(frozen=True)
class Recording:
    """What a recording gives to the tracker, and what is true in it."""

    detections: DetectionTable
    times_us: Int64[np.ndarray, " W"]
    observed: Observed
    labels: LabelTable


@dataclass(frozen=True)
class Scores:
    """What tracks with some settings are worth."""

    tracks: Sequence[TrackMetrics]
    counts: CountMetrics


def main() -> None:
    """Print a table in Markdown."""
    arguments = parse_arguments()
    recordings = dict(
        simulated() if arguments.source == "junction" else stored(arguments.source, arguments.split)
    )
    print(f"{len(recordings)} recordings\n")
    print("|  | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    default = score(recordings, {})
    print(row("default", values(default)), flush=True)
    changes = {" ".join(each): parse_changes(each) for each in arguments.change}
    for name, change in (changes or PARTS).items():
        print(row(name, differences(default, score(recordings, change))), flush=True)
    if not changes:
        voteless = score(recordings, {}, votes=False)
        print(row(CLASS_OF_MOMENT, differences(default, voteless)))


def parse_arguments() -> argparse.Namespace:
    """What to compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="folder of a finished run, or `junction`")
    parser.add_argument("--split", default="test")
    parser.add_argument(
        "--change", nargs="+", action="append", default=[], metavar="SETTING=VALUE",
        help="settings under `track` of a row of its own; may be given several times",
    )  # fmt: skip
    return parser.parse_args()


def parse_changes(texts: Sequence[str]) -> dict[str, object]:
    """Settings by their dotted names."""
    pairs = (text.partition("=") for text in texts)
    return {name: yaml.safe_load(value) for name, _, value in pairs}


def stored(folder: str, split: str) -> Iterator[tuple[str, Recording]]:
    """The recordings of a run that has predicted."""
    data = Path(folder)
    detections = DetectionStore(data / "07_model_output/detections")
    labels = LabelStore(data / "03_primary/labelled_frames")
    histograms = RepresentationStore(data / "02_intermediate/histograms")
    for key in detections:
        if RecordingKey.parse(key).split == split:
            table, windows = detections[key], histograms[key]
            times_us = searched_us(windows, table)
            yield key, Recording(table, times_us, observe(windows), labels[key].labels)


def simulated() -> Iterator[tuple[str, Recording]]:
    """Junctions of two minutes, in boxes."""
    for seed in JUNCTION_SEEDS:
        labels, detections, times_us = simulate(seed, JUNCTION_S)
        observed = Observed(WIDTH, HEIGHT, 0, JUNCTION_S * 1_000_000)
        yield f"test/junction_{seed}", Recording(detections, times_us, observed, labels)


def score(
    recordings: Mapping[str, Recording], changes: Mapping[str, object], *, votes: bool = True
) -> Scores:
    """Track all recordings with changed settings, and compare the tracks with the truth."""
    tracks = {key: follow(each, changed(changes)) for key, each in recordings.items()}
    if not votes:
        for table in tracks.values():
            table["class_id"] = table["detected_class_id"]
    labels = {key: each.labels for key, each in recordings.items()}
    observed = {key: each.observed for key, each in recordings.items()}
    truth = {key: labelled_tracks(each) for key, each in labels.items()}
    counts = compare_counts(
        {key: crossings(truth[key], observed[key]) for key in recordings},
        {key: crossings(tracks[key], observed[key]) for key in recordings},
        observed,
        CLASSES,
        CountProtocol(name="grid"),
    )
    scored = [
        with_track_intervals(evaluate_tracks(labels, tracks, name, CLASSES)) for name in PROTOCOLS
    ]
    return Scores(scored, counts)


def changed(changes: Mapping[str, object]) -> TrackSettings:
    """The default settings with changes, by their dotted names."""
    settings = TrackSettings().model_dump(serialize_as_any=True)
    for name, value in changes.items():
        nested: object = value
        for part in reversed(name.split(".")):
            nested = {part: nested}
        settings = merge(settings, nested)  # type: ignore[arg-type]  # a name has a part
    return TrackSettings.model_validate(settings)


def follow(recording: Recording, settings: TrackSettings) -> TrackTable:
    """The tracks of a recording."""
    return track_recording(
        recording.detections, recording.times_us, recording.observed, CLASSES, settings
    )


def crossings(tracks: TrackTable, observed: Observed) -> Crossings:
    """Crossings of the grid of lines."""
    site = grid_site(observed.width, observed.height)
    return count_recording(tracks, site, observed, CountSettings(), CLASSES).crossings


def values(scores: Scores) -> list[str]:
    """Values with their intervals."""
    each_class, any_class = scores.tracks
    overall = scores.counts.overall
    cells = [
        (of.overall[name], ends(of.intervals.get(name)))
        for of, name in ((each_class, "HOTA"), (any_class, "HOTA"), (any_class, "IDF1"))
    ]
    shares = [overall.recall, overall.precision, overall.class_accuracy]
    return [
        *(cell(value, *limits) for value, limits in cells),
        str(any_class.counts["IDSW"]),
        f"{any_class.counts['tracks']} of {any_class.counts['labelled_tracks']}",
        *("-" if share is None else cell(share.value, *ends(share)) for share in shares),
        cell(overall.error, overall.error_low, overall.error_high),
    ]


def differences(before: Scores, after: Scores) -> list[str]:
    """Differences with their intervals; of counts of switches and tracks, the new numbers."""
    each_class, any_class = (
        compare_tracks([one], [other])
        for one, other in zip(before.tracks, after.tracks, strict=True)
    )
    counted = compare_count_metrics(before.counts, after.counts)
    found = [each_class["HOTA"], any_class["HOTA"], any_class["IDF1"]]
    numbers = after.tracks[1].counts
    names = ("recall", "precision", "class_accuracy", "error")
    return [
        *(cell(each.difference, *ends(each), sign="+") for each in found),
        str(numbers["IDSW"]),
        str(numbers["tracks"]),
        *(cell(counted[name].difference, *ends(counted[name]), sign="+") for name in names),
    ]


def ends(found: object) -> tuple[float | None, float | None]:
    """Both ends of an interval; None without one."""
    return getattr(found, "low", None), getattr(found, "high", None)


def cell(value: float | None, low: float | None, high: float | None, sign: str = "") -> str:
    """A value with its interval."""
    if value is None:
        return "-"
    value, low, high = (
        each if each is None else round(each, 3) + 0.0 for each in (value, low, high)
    )
    text = f"{value:{sign}.3f}"
    if low is None or high is None or low == high:
        return text
    return f"{text} [{low:{sign}.3f}, {high:{sign}.3f}]"


def row(name: str, cells: Sequence[str]) -> str:
    """A line of the table."""
    return f"| {name} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()

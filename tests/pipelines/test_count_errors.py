"""Counts are compared with labels only while there are labels."""

from pathlib import Path

import numpy as np

from etram_pipeline.datasets.track_store import TrackedTable, TrackStore
from etram_pipeline.datasets.tracks import Tracking, TracksDataset
from etram_pipeline.evaluation.counts.result import CountMetrics
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable
from etram_pipeline.pipelines.evaluate.count_errors import compare_with_labels
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import TrackTable, empty_tracks
from etram_pipeline.traffic.settings import CountSettings
from etram_pipeline.traffic.site import Image, Line, Site

KEY = "test/street"
SITE = Site(
    image=Image(width=640, height=384),
    lines={"middle": Line(points=((320, 384), (320, 0)), forward="right", backward="left")},
)


def drive(track_id: int, start_s: float) -> TrackTable:
    """From column 20 to column 620 in 3 s, seen every 50 ms."""
    rows = empty_tracks(60)
    rows["t"] = round(start_s * 1e6) + 50_000 * np.arange(60)
    rows["x"], rows["y"] = np.linspace(0, 600, 60), 200
    rows["track_id"], rows["w"], rows["h"] = track_id, 40, 30
    return rows


def labels_of(rows: TrackTable) -> LabelTable:
    """Every second row as a label: boxes every 100 ms."""
    labels = np.zeros(len(rows[::2]), LABEL_DTYPE)
    for name in ("t", "x", "y", "w", "h", "track_id", "class_id"):
        labels[name] = rows[name][::2]
    return labels


def compare(folder: Path, labels: LabelTable, *tracks: TrackTable) -> CountMetrics:
    table = np.concatenate(tracks)
    table = table[np.lexsort((table["track_id"], table["t"]))]
    tracked = TrackedTable(table, Observed(640, 384, 0, 60_000_000))
    TracksDataset(path=str(folder / "tracks")).save(
        Tracking([(KEY, tracked)], ("car",), detections="d", settings="s")
    )
    return compare_with_labels(
        "grid",
        lambda *_: SITE,
        {KEY: labels},
        TrackStore(folder / "tracks"),
        CountSettings(),
        EvaluateSettings(),
    )


def test_crossings_before_the_first_label_and_after_the_last_are_not_false(tmp_path: Path) -> None:
    early, labelled, late = drive(1, 5), drive(2, 20), drive(3, 40)
    metrics = compare(tmp_path, labels_of(labelled), early, labelled, late)
    assert (metrics.overall.true, metrics.overall.counted) == (1, 1)
    assert metrics.overall.precision is not None
    assert metrics.overall.precision.value == 1
    assert metrics.observed_s == 2.9  # from 20 s to 22.9 s
    assert {each.observed_s for each in metrics.bins} == {2.9}


def test_crossings_while_there_are_labels_are_false_without_one(tmp_path: Path) -> None:
    first, unlabelled, last = drive(1, 5), drive(2, 20), drive(3, 40)
    labels = np.concatenate([labels_of(first), labels_of(last)])
    metrics = compare(tmp_path, labels[::-1], first, unlabelled, last)  # in any order
    assert (metrics.overall.true, metrics.overall.counted) == (2, 3)
    assert metrics.overall.error == 0.5


def test_who_has_crossed_before_the_first_label_is_counted_by_neither(tmp_path: Path) -> None:
    """Seen on one side only, there is no crossing to find, in labels or in tracks."""
    rows = drive(1, 5)
    metrics = compare(tmp_path, labels_of(rows[32:]), rows)
    assert (metrics.overall.true, metrics.overall.counted) == (0, 0)

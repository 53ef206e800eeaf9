"""A small traffic, what a fair detector finds of it, and errors planted into its labels."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from etram_pipeline.analysis.suspects import Suspect, stable_tracks
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import TrackTable

NAMES = ("pedestrian", "car", "truck")
TIMES_US = 100_000 * np.arange(1, 81, dtype=np.int64)
"""Labelled moments; a detector also looks half-way between them."""
WIDTH, HEIGHT, STEP_US = 640, 384, 50_000
_SIDES = np.array([[20, 45], [70, 40], [130, 60]], np.float32)
_KINDS = (
    *3 * ["missing_label"],
    *2 * ["wrong_class"],
    *2 * ["misplaced_box"],
    *3 * ["ghost_label"],
)
_STRETCH = 20


@dataclass(frozen=True)
class Planted:
    """An error: its kind, its recording, and the labels concerned, as they are or were."""

    kind: str
    recording: str
    labels: LabelTable

    def is_found_by(self, suspect: Suspect) -> bool:
        """Whether a suspect leads a reviewer to it: it shows the place at such a moment."""
        if suspect.recording != self.recording:
            return False
        at = np.flatnonzero(self.labels["t"] == suspect.middle_us)
        if not len(at):
            return False
        box, (x, y, w, h) = self.labels[at[0]], suspect.box_xywh
        apart = abs(box["x"] + box["w"] / 2 - x - w / 2), abs(box["y"] + box["h"] / 2 - y - h / 2)
        return bool(apart[0] < (box["w"] + w) / 2 and apart[1] < (box["h"] + h) / 2)


def framed(labels: LabelTable, times_us: np.ndarray = TIMES_US) -> LabelledFrames:
    """Labels at moments, of which some may be empty."""
    labels = labels[np.lexsort((labels["track_id"], labels["t"]))]
    return LabelledFrames(labels, np.searchsorted(labels["t"], times_us), times_us, 100_000)


def simulate(seed: int) -> tuple[dict[str, LabelTable], dict[str, TrackTable]]:
    """Right labels of two recordings, and the stable tracks of what is detected in them."""
    random = np.random.default_rng(seed)
    labels = {key: _labels(random) for key in ("test/one", "test/two")}
    tracks = {}
    for key, table in labels.items():
        windows = np.arange(STEP_US, TIMES_US[-1] + 1, STEP_US)
        observed = Observed(WIDTH, HEIGHT, 0, int(windows[-1]))
        tracks[key] = stable_tracks(_detections(table, random), windows, observed, NAMES)
    return {key: table[table["t"] % 100_000 == 0] for key, table in labels.items()}, tracks


def plant(
    labels: Mapping[str, LabelTable], seed: int
) -> tuple[dict[str, LabelTable], list[Planted]]:
    """The labels with ten errors of twenty moments each, all on objects of their own."""
    random = np.random.default_rng(seed)
    wrong = {key: table.copy() for key, table in labels.items()}
    long = [
        (key, track)
        for key, table in labels.items()
        for track, number in zip(*np.unique(table["track_id"], return_counts=True), strict=True)
        if number > _STRETCH
    ]
    chosen = random.permutation(len(long))[: len(_KINDS)]
    planted = []
    for kind, (key, track) in zip(_KINDS, (long[place] for place in chosen), strict=True):
        table = wrong[key]
        rows = np.flatnonzero(table["track_id"] == track)
        start = random.integers(len(rows) - _STRETCH)
        rows = rows[start : start + _STRETCH]
        concerned = table[rows].copy()
        if kind == "missing_label":
            wrong[key] = np.delete(table, rows)
        elif kind == "wrong_class":
            table["class_id"][rows] = (concerned["class_id"] + 1) % len(NAMES)
        elif kind == "misplaced_box":
            table["x"][rows] += 0.6 * concerned["w"]
        else:
            concerned["x"] = WIDTH - concerned["x"] - concerned["w"]
            concerned["y"] = 384 - concerned["y"]  # a strip in which nobody goes
            concerned["track_id"] += 1000
            wrong[key] = np.concatenate([table, concerned])
        planted.append(Planted(kind, key, concerned))
    return wrong, planted


def _labels(random: np.random.Generator) -> LabelTable:
    """Road users that cross the picture in the upper half, one above the other."""
    tables = []
    for track in range(14):
        class_id = track % 3
        start_s, life_s = random.uniform(0.1, 4), random.uniform(2.5, 4)
        times_us = np.arange(STEP_US, TIMES_US[-1] + 1, STEP_US)
        times_us = times_us[(times_us > start_s * 1e6) & (times_us < (start_s + life_s) * 1e6)]
        table = np.zeros(len(times_us), LABEL_DTYPE)
        table["t"], table["track_id"], table["class_id"] = times_us, track + 1, class_id
        table["w"], table["h"] = _SIDES[class_id]
        speed = random.choice([-1, 1]) * random.uniform(40, 90)
        table["x"] = random.uniform(150, 350) + speed * (times_us - times_us[0]) / 1e6
        table["y"] = 8 + 12 * track
        tables.append(table)
    labels = np.concatenate(tables)
    return labels[np.lexsort((labels["track_id"], labels["t"]))]


def _detections(labels: LabelTable, random: np.random.Generator) -> DetectionTable:
    """Most labels, a little beside them, some as another class, and much that is nothing."""
    found = labels[random.random(len(labels)) < 0.9]
    table = np.zeros(len(found) + 3 * len(TIMES_US), DETECTION_DTYPE)
    for name in ("t", "x", "y", "w", "h", "class_id"):
        table[name][: len(found)] = found[name]
    real, noise = table[: len(found)], table[len(found) :]
    for name, side in (("x", "w"), ("y", "h"), ("w", "w"), ("h", "h")):
        real[name] += random.normal(0, 0.05, len(real)) * found[side]
    confused = random.random(len(real)) < 0.05
    real["class_id"][confused] = random.integers(len(NAMES), size=int(confused.sum()))
    real["score"] = random.uniform(0.4, 0.95, len(real))
    noise["t"] = random.choice(TIMES_US, len(noise))
    noise["x"], noise["y"] = random.uniform(0, (600, 340), (len(noise), 2)).T
    noise["w"], noise["h"], noise["score"] = 40, 40, random.uniform(0.05, 0.4, len(noise))
    return table[np.argsort(table["t"], kind="stable")]

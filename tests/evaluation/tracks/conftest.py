"""Small tables of labels and tracks."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable
from etram_pipeline.tracks.table import TrackTable, empty_tracks

COLUMNS = ("t", "x", "y", "w", "h", "track_id", "class_id")

Rows = Iterable[Iterable[float]]
Tables = tuple[dict[str, LabelTable], dict[str, TrackTable]]
MakeTables = Callable[..., Tables]


def filled(table: LabelTable, rows: Rows) -> LabelTable:
    for name, column in zip(COLUMNS, zip(*rows, strict=True), strict=False):
        table[name] = column
    return table


def label_rows(*rows: Iterable[float]) -> LabelTable:
    """A label table of rows `t, x, y, w, h, track_id, class_id`; of class 0 without the last."""
    return filled(np.zeros(len(rows), LABEL_DTYPE), rows)


def track_rows(*rows: Iterable[float]) -> TrackTable:
    """A track table of rows `t, x, y, w, h, track_id, class_id`, likewise."""
    table = filled(empty_tracks(len(rows)), rows)
    table["detected_class_id"] = table["class_id"]
    return table


def as_tracks(labels: LabelTable) -> TrackTable:
    """The tracks that find all labels exactly."""
    return track_rows(*labels[list(COLUMNS)].tolist())


@pytest.fixture
def any_class() -> TrackProtocol:
    """A protocol that takes all classes for one."""
    return TrackProtocol(name="any", class_aware=False)


@pytest.fixture
def random_tables() -> Callable[..., Tables]:
    """Makes recordings of road users that drive straight on, with imperfect tracks."""

    def make(seed: int, *, num_recordings: int = 3) -> Tables:
        rng = np.random.default_rng(seed)
        labels, tracks = {}, {}
        for number in range(num_recordings):
            name = f"test/test_{'day' if number % 2 else 'night'}_{number:04d}"
            labels[name] = _street(rng)
            tracks[name] = _imperfect(rng, labels[name])
        return labels, tracks

    return make


def _street(rng: np.random.Generator, num_users: int = 6, num_moments: int = 30) -> LabelTable:
    rows = []
    for user in range(num_users):
        first, last = np.sort(rng.integers(0, num_moments, 2))
        (x, y, w, h), speed = rng.uniform((0, 0, 30, 30), (300, 200, 90, 60)), rng.normal(0, 6)
        class_id = int(rng.integers(0, 3))
        for step in range(first, last + 1):
            box = (x + speed * step, y, w, h)
            rows.append((100_000 * (step + 1), *box, 10 + user, class_id))
    return label_rows(*rows)


def _imperfect(rng: np.random.Generator, labels: LabelTable) -> TrackTable:
    """Jittered copies of labels, some of them missing; a third of the tracks break."""
    table = as_tracks(labels)
    for name in ("x", "y"):
        table[name] += rng.normal(0, 4, len(table))
    is_late = table["t"] > np.median(table["t"])
    table["track_id"][is_late & (table["track_id"] % 3 == 0)] += 100
    wrong = rng.random(len(table)) < 0.05
    table["class_id"][wrong] = rng.integers(0, 3, wrong.sum())
    return table[rng.random(len(table)) < 0.85]

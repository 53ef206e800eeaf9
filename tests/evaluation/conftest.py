"""Small tables of labels and detections."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from etram_pipeline.core.mask_column import with_masks
from etram_pipeline.core.run_lengths import encode_masks
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable

Tables = tuple[dict[str, LabelTable], dict[str, DetectionTable]]


@pytest.fixture
def label_table() -> Callable[..., LabelTable]:
    """Makes a label table of rows `t, x, y, w, h, class_id`."""

    def make(*rows: Iterable[float]) -> LabelTable:
        table = np.zeros(len(rows), LABEL_DTYPE)
        for name, column in zip(
            ("t", "x", "y", "w", "h", "class_id"), zip(*rows, strict=True), strict=False
        ):
            table[name] = column
        table["class_confidence"] = 1
        return table

    return make


@pytest.fixture
def detection_table() -> Callable[..., DetectionTable]:
    """Makes a detection table of rows `t, x, y, w, h, class_id, score`; both scores are equal."""

    def make(*rows: Iterable[float]) -> DetectionTable:
        table = np.zeros(len(rows), DETECTION_DTYPE)
        names = ("t", "x", "y", "w", "h", "class_id", "score")
        for name, column in zip(names, zip(*rows, strict=True), strict=False):
            table[name] = column
        table["objectness"] = 1
        table["class_score"] = table["class_confidence"] = table["score"]
        return table

    return make


@pytest.fixture
def two_classes() -> Protocol:
    """A protocol of two classes that leaves no box out."""
    return Protocol(name="two", class_names=("car", "tram"))


@pytest.fixture
def random_tables() -> Callable[..., Tables]:
    """Makes recordings of random labels and detections: some near labels, some not.

    All scores are distinct unless `num_scores` is given, and so are the times of frames.
    """

    def make(seed: int, *, num_recordings: int = 3, num_scores: int | None = None) -> Tables:
        rng = np.random.default_rng(seed)
        labels, detections = {}, {}
        for number in range(num_recordings):
            name = f"test/test_{'day' if number % 2 else 'night'}_{number:04d}"
            labels[name] = _random_labels(rng)
            detections[name] = _random_detections(rng, labels[name], num_scores)
        return labels, detections

    return make


def _random_labels(rng: np.random.Generator) -> LabelTable:
    table = np.zeros(60, LABEL_DTYPE)
    table["t"] = np.sort(rng.integers(0, 12, len(table))) * 100_000
    table["x"], table["y"] = rng.uniform(0, 300, (2, len(table)))
    table["w"], table["h"] = rng.uniform(8, 140, (2, len(table)))
    table["class_id"] = rng.integers(0, 3, len(table))
    return table


def _random_detections(
    rng: np.random.Generator, labels: LabelTable, num_scores: int | None
) -> DetectionTable:
    near = labels[rng.integers(0, len(labels), 120)]
    table = np.zeros(len(near) + 40, DETECTION_DTYPE)
    for name, spread in (("x", 4), ("y", 4), ("w", 3), ("h", 3)):
        table[name][: len(near)] = near[name] + rng.normal(0, spread, len(near))
        table[name][len(near) :] = rng.uniform(8, 140, 40)
    table["w"], table["h"] = table["w"].clip(1), table["h"].clip(1)
    table["t"][: len(near)], table["class_id"][: len(near)] = near["t"], near["class_id"]
    table["t"][len(near) :] = rng.integers(0, 14, 40) * 100_000
    table["class_id"][rng.random(len(table)) < 0.15] = 1
    scores = rng.permutation(len(table)) + rng.random()
    table["score"] = scores % num_scores if num_scores else scores / (len(table) + 1)
    table["class_confidence"] = table["class_score"] = table["score"]
    return rng.permutation(table)


def rectangles(tables: Tables) -> Tables:
    """The tables with whole numbers as boxes, and masks that fill them."""
    labels, detections = tables
    return (
        {name: _filled(table) for name, table in labels.items()},
        {name: _filled(table) for name, table in detections.items()},
    )


def _filled(table: LabelTable) -> LabelTable:
    side = 480
    whole = table.copy()
    masks = np.zeros((len(table), side, side), bool)
    for name in "xywh":
        whole[name] = np.floor(table[name]).clip(0)
    for mask, row in zip(masks, whole, strict=True):
        x, y, w, h = (int(row[name]) for name in "xywh")
        mask[y : y + h, x : x + w] = True
    return with_masks(whole, encode_masks(masks))

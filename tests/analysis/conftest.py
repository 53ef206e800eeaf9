"""Small sets of labels and detections, compared by one protocol."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from etram_pipeline.evaluation.evidence import Evidence
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.scoring import gather_evidence
from etram_pipeline.labels.detections import DETECTION_DTYPE
from etram_pipeline.labels.table import LABEL_DTYPE

CLASS_NAMES = ("car", "tram", "bus")
LABEL_COLUMNS = ("t", "x", "y", "w", "h", "class_id", "track_id")
DETECTION_COLUMNS = ("t", "x", "y", "w", "h", "class_id", "score")
Rows = Sequence[Sequence[float]]


def table_of(rows: Rows, names: Sequence[str], dtype: np.dtype) -> np.ndarray:
    """A table of rows that give its first columns."""
    table = np.zeros(len(rows), dtype)
    for name, column in zip(names, zip(*rows, strict=True), strict=False):
        table[name] = column
    return table


@pytest.fixture
def compare() -> Callable[..., Evidence]:
    """Compares rows `t x y w h class_id (track_id)` with rows `t x y w h class_id score`."""

    def run(labels: Rows, detections: Rows, **changes: object) -> Evidence:
        return compare_recordings({"a": (labels, detections)}, **changes)

    return run


def compare_recordings(recordings: dict[str, tuple[Rows, Rows]], **changes: object) -> Evidence:
    """Evidence of several recordings, by a protocol of the class names above."""
    fields = {"name": "small", "class_names": CLASS_NAMES, "tolerance_us": 0, **changes}
    protocol = Protocol.model_validate(fields)
    labels = {
        name: table_of(rows, LABEL_COLUMNS, LABEL_DTYPE) for name, (rows, _) in recordings.items()
    }
    detections = {
        name: table_of(rows, DETECTION_COLUMNS, DETECTION_DTYPE)
        for name, (_, rows) in recordings.items()
    }
    return gather_evidence(labels, detections, protocol, CLASS_NAMES)


def random_evidence(
    seed: int, num_frames: int = 60, num_scores: int | None = None, **changes: object
) -> Evidence:
    """Random labels, and detections of every kind: near and far, twice, and of other classes."""
    rng = np.random.default_rng(seed)
    recordings: dict[str, tuple[Rows, Rows]] = {}
    for name in ("test/day_0001", "test/night_0002"):
        times = rng.integers(0, num_frames // 2, 3 * num_frames) * 100_000
        boxes = np.stack(
            [*rng.uniform(0, 400, (2, len(times))), *rng.uniform(10, 150, (2, len(times)))]
        )
        classes = rng.integers(0, 3, len(times))
        labels = np.stack([times, *boxes, classes, np.zeros(len(times))], axis=1)
        near = rng.integers(0, len(times), 7 * num_frames)
        spread = rng.choice([3.0, 12.0, 40.0], len(near))
        found = boxes[:, near] + spread * rng.normal(size=(4, len(near)))
        found[2:] = found[2:].clip(4)
        guessed = np.where(
            rng.random(len(near)) < 0.25, rng.integers(0, 3, len(near)), classes[near]
        )
        scores = (rng.permutation(len(near)) + rng.random()) / (len(near) + 1)
        if num_scores is not None:
            scores = np.ceil(scores * num_scores) / num_scores
        detections = np.stack([times[near], *found, guessed, scores], axis=1)
        recordings[name] = labels.tolist(), detections.tolist()
    return compare_recordings(recordings, **changes)

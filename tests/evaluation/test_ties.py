"""Detections of equal score: one value whatever the order of rows, where the protocol says so."""

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etram_pipeline.evaluation import evaluate
from etram_pipeline.evaluation.curves import RECALLS, rank_detections
from etram_pipeline.evaluation.outcomes import match_classes
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import NAMED
from etram_pipeline.evaluation.resampling import resample
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.evaluation.scoring import evaluate_with_matches, gather_evidence
from etram_pipeline.labels.detections import DETECTION_DTYPE
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable

Make = Callable[..., Any]
Corners = tuple[tuple[int, int], ...]
CORNERS = ((0, 0), (20, 20), (30, 30))
FOUND = ((0, 0), (20, 20), (100, 100))
TOGETHER = Protocol(name="together", ties="together")
THIRDS = 2 / 3 * 67 / 101
"""Precision 2/3 at the recalls 0, 0.01 … 0.66, and 0 beyond."""


def table(corners: Corners, dtype: np.dtype[Any], time_us: int = 7) -> LabelTable:
    rows = np.zeros(len(corners), dtype)
    rows["t"], (rows["x"], rows["y"]) = time_us, np.array(corners).reshape(-1, 2).T
    rows["w"] = rows["h"] = 10
    if dtype == DETECTION_DTYPE:
        rows["score"] = rows["class_confidence"] = 1
    return rows


@pytest.mark.parametrize("order", list(permutations(FOUND)))
def test_three_equal_scores_give_one_value_in_every_order_of_rows(
    order: Corners,
) -> None:
    labels, found = table(CORNERS, LABEL_DTYPE), table(order, DETECTION_DTYPE)
    assert evaluate({"a": labels}, {"a": found}, TOGETHER).overall["AP"] == pytest.approx(THIRDS)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_and_in_every_order_of_recordings(order: tuple[int, ...]) -> None:
    labels = {f"r{n}": table(CORNERS[n : n + 1], LABEL_DTYPE) for n in order}
    found = {f"r{n}": table(FOUND[n : n + 1], DETECTION_DTYPE) for n in order}
    assert evaluate(labels, found, TOGETHER).overall["AP"] == pytest.approx(THIRDS)


def test_the_references_take_them_in_order_of_rows() -> None:
    labels = {"a": table(CORNERS, LABEL_DTYPE)}
    protocol = TOGETHER.model_copy(update={"ties": "rows"})
    first, last = (
        evaluate(labels, {"a": table(order, DETECTION_DTYPE)}, protocol).overall["AP"]
        for order in (FOUND, FOUND[::-1])
    )
    assert [first, last] == pytest.approx([67 / 101, THIRDS])


def test_only_protocols_without_a_reference_count_them_together() -> None:
    assert [name for name, each in NAMED.items() if each.ties == "together"] == ["etram_8class"]


def test_stored_protocols_without_the_choice_mean_the_order_of_rows() -> None:
    stored = NAMED["coco"].model_dump()
    assert "ties" not in stored
    assert Protocol.model_validate(stored).ties == "rows"


@given(
    seed=st.integers(0, 10**6),
    num_scores=st.integers(1, 6),
    class_aware=st.booleans(),
    limit=st.sampled_from([3, 100]),
)
def test_no_order_of_rows_or_recordings_changes_a_number(
    seed: int, num_scores: int, *, class_aware: bool, limit: int
) -> None:
    rng = np.random.default_rng(seed)
    protocol = Protocol(
        name="x", ties="together", class_aware=class_aware, max_detections=(1, limit)
    )
    labels, found = {}, {}
    for name in ("night_a", "day_b", "day_c"):
        labels[name], found[name] = crowded(rng, LABEL_DTYPE), crowded(rng, DETECTION_DTYPE)
        found[name]["score"] = rng.integers(1, num_scores + 1, len(found[name])) / num_scores
    expected, matches = evaluate_with_matches(labels, found, protocol, ("a", "b"))
    names = rng.permutation(list(labels)).tolist()
    metrics = evaluate(
        {name: rng.permutation(labels[name]) for name in names},
        {name: rng.permutation(found[name]) for name in names},
        protocol,
        ("a", "b"),
    )
    assert numbers(metrics) == numbers(expected)
    values = {
        name: each.values[0] for (name, *rest), each in resample(matches, 1).items() if not rest
    }
    assert values["AP"] == pytest.approx(expected.overall["AP"], abs=1e-12)
    assert values["AP_S"] == pytest.approx(expected.overall["AP_S"], abs=1e-12)


def crowded(rng: np.random.Generator, dtype: np.dtype[Any]) -> LabelTable:
    """Boxes on a coarse grid, so that many are equal or overlap several others alike."""
    rows = np.zeros(30, dtype)
    rows["t"] = rng.integers(1, 4, len(rows)) * 100_000
    for side, least in zip("xywh", (0, 0, 2, 2), strict=True):
        rows[side] = 8 * rng.integers(least, least + 3, len(rows))
    rows["class_id"] = rng.integers(0, 2, len(rows))
    return rows


def numbers(metrics: Metrics) -> tuple[Any, ...]:
    per_class = {name: each.metrics for name, each in metrics.per_class.items()}
    return metrics.overall, per_class, metrics.groups, metrics.confusion, metrics.num_detections


def test_the_curve_has_one_point_for_every_score(random_tables: Make) -> None:
    """Precision and recall of all detections with at least a score, one score after the other."""
    labels, found = random_tables(3, num_scores=4)
    evidence = gather_evidence(labels, found, TOGETHER)
    curves = evaluate(labels, found, TOGETHER).precision_recall
    rankings = rank_detections(evidence.compare(match_classes))
    for name, ranking in zip(evidence.class_names, rankings, strict=True):
        points = []
        for score in np.unique(ranking.scores):
            is_right = ranking.is_right[ranking.scores >= score]
            points.append((is_right.sum() / ranking.num_labels, is_right.mean()))
        envelope = [
            max((precision for recall, precision in points if recall >= least - 1e-12), default=0)
            for least in RECALLS
        ]
        assert len(points) == 12  # four in each of three recordings
        assert curves[name] == pytest.approx(envelope)

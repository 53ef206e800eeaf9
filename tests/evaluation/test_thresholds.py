"""Protocols with any list of IoU thresholds, also more than are matched at once."""

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
from tests.evaluation.conftest import Tables

from etram_pipeline.evaluation import evaluate, find_operating_scores
from etram_pipeline.evaluation.intervals import with_intervals
from etram_pipeline.evaluation.metrics import Place
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.result import flatten_metrics
from etram_pipeline.evaluation.scoring import evaluate_with_matches

Make = Callable[..., Tables]
MANY = tuple(np.linspace(0.3, 0.95, 70).tolist())


@pytest.mark.parametrize("ious", [(0.2,), (0.05, 0.5), (0.3, 0.75), (1.0,), MANY])
def test_every_value_is_named_and_measured_for_any_list_of_thresholds(
    random_tables: Make, ious: tuple[float, ...]
) -> None:
    protocol = Protocol(name="x", iou_thresholds=ious, ties="together")
    scores = find_operating_scores(*random_tables(1), protocol)
    tables = random_tables(2, num_recordings=4)
    metrics, matches = evaluate_with_matches(*tables, protocol, operating_scores=scores)
    metrics = with_intervals(metrics, matches, rounds=5)
    assert set(metrics.overall) == {value.name for value in protocol.values}
    assert ("AP_50" in metrics.overall, "AP_75" in metrics.overall) == (0.5 in ious, 0.75 in ious)
    assert all(protocol.shown(place) for place in get_args(Place))
    assert metrics.operating_point is None or metrics.operating_point.iou == protocol.curve_iou
    assert set(metrics.intervals) >= ({"AP"} if ious[0] < 1 and len(ious) < 65 else set())
    assert "test/x/AP" in flatten_metrics(metrics)


def test_more_thresholds_than_bits_give_the_numbers_of_pycocotools(random_tables: Make) -> None:
    tables = random_tables(3)
    protocol = Protocol(name="x", iou_thresholds=MANY, class_aware=False)
    expected = evaluate(*tables, protocol, engine="pycocotools")
    metrics = evaluate(*tables, protocol)
    assert metrics.overall == pytest.approx(expected.overall, abs=1e-12)
    assert metrics.groups["night"] == pytest.approx(expected.groups["night"], abs=1e-12)

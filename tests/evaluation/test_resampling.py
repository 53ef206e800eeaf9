"""Values from matches, for the recordings as they are and for any draw of them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from tests.evaluation.conftest import Tables, rectangles

from etram_pipeline.evaluation import evaluate, find_operating_scores
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import resolve_protocol
from etram_pipeline.evaluation.resampling import Name, Resampled, resample
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.evaluation.scoring import evaluate_with_matches

Make = Callable[..., Any]
ROUNDS = 20
CLASSES = ("car", "tram", "bus", "truck", "rare")
CHOICES: dict[str, dict[str, object]] = {
    "all classes": {"like": "coco"},
    "ignoring classes": {"like": "coco", "class_aware": False},
    "every moment twice": {"like": "rvt_gen4", "frames": "near"},
    "few detections": {"like": "coco", "max_detections": (1, 3)},
    "one threshold": {"like": "coco", "iou_thresholds": (0.6,)},
    "other sizes": {"like": "coco", "area_ranges": {"tiny": (0, 900), "huge": (900, 1e4)}},
    "masks": {"like": "coco_masks"},
}


@pytest.fixture(params=CHOICES)
def protocol(request: pytest.FixtureRequest) -> Protocol:
    """A protocol of every kind that changes which detections are right."""
    return resolve_protocol({**CHOICES[request.param], "name": "tried"})


@pytest.fixture
def tables(random_tables: Make, protocol: Protocol) -> Callable[..., Tables]:
    """Makes random tables that suit the protocol."""

    def make(seed: int, num_recordings: int) -> Tables:
        labels, detections = random_tables(seed, num_recordings=num_recordings)
        rare = labels["test/test_night_0000"]
        rare["class_id"][0] = 4  # a class that many draws lack
        return rectangles((labels, detections)) if protocol.needs_masks else (labels, detections)

    return make


def values_of(metrics: Metrics) -> dict[Name, float]:
    """The values of an evaluation by the names of resampled ones."""
    headline = [value.name for value in metrics.protocol.shown("headline")]
    values: dict[Name, float] = {(name,): value for name, value in metrics.overall.items()}
    for group, of_group in metrics.groups.items():
        values |= {(group, name): of_group[name] for name in headline}
    for class_name, of_class in metrics.per_class.items():
        values |= {(class_name, name): of_class.metrics[name] for name in headline}
    point = metrics.operating_point
    if point is not None:
        values["operating", "precision"] = point.overall.precision
        values["operating", "recall"] = point.overall.recall
        values["operating", "F1"] = point.overall.f1
        values |= {(name, "operating", "F1"): each.f1 for name, each in point.per_class.items()}
    return values


def assert_equal(found: Mapping[Name, Resampled], column: int, metrics: Metrics) -> None:
    expected = values_of(metrics)
    for name, each in found.items():
        value = -1.0 if np.isnan(each.values[column]) else each.values[column]
        assert value == pytest.approx(expected[name], abs=1e-12), name


@pytest.mark.parametrize("seed", range(3))
def test_values_of_the_recordings_as_they_are_equal_those_of_the_evaluation(
    tables: Callable[..., Tables], protocol: Protocol, seed: int
) -> None:
    scores = find_operating_scores(*tables(seed + 10, 2), protocol, CLASSES)
    metrics, matches = evaluate_with_matches(
        *tables(seed, 4), protocol, CLASSES, operating_scores=scores
    )
    found = resample(matches, 1)
    assert_equal(found, 0, metrics)
    limits = {f"AR_{limit}" for limit in protocol.max_detections[:-1]}
    unknown = {(prefix + name,) for prefix in ("", "mask_") for name in limits | {"AP_75"}}
    assert set(values_of(metrics)) - set(found) <= unknown
    assert found["AP",].values[0] > 0.1


def test_night_alone_is_drawn_as_if_there_was_no_day(random_tables: Make) -> None:
    labels, detections = random_tables(0, num_recordings=6)
    nights = [name for name in labels if "night" in name]
    _, matches = evaluate_with_matches(labels, detections, "coco")
    _, alone = evaluate_with_matches(
        {name: labels[name] for name in nights}, {name: detections[name] for name in nights}, "coco"
    )
    found, expected = resample(matches, ROUNDS), resample(alone, ROUNDS)
    for name in ("AP", "AP_50"):
        np.testing.assert_allclose(found["night", name].values, expected[name,].values, atol=1e-12)
        np.testing.assert_array_equal(
            found["night", name].num_labels[found["night", name].num_labels > 0],
            expected[name,].num_labels,
        )


def test_values_of_a_draw_equal_those_of_the_recordings_drawn(
    tables: Callable[..., Tables], protocol: Protocol
) -> None:
    """Each recording drawn is really there as often as it was drawn, under different names."""
    labels, detections = tables(0, 5)
    scores = find_operating_scores(*tables(7, 2), protocol, CLASSES)
    _, matches = evaluate_with_matches(
        labels, detections, protocol, CLASSES, operating_scores=scores
    )
    found = resample(matches, ROUNDS)
    drawn = np.random.default_rng(0).multinomial(5, np.full(5, 1 / 5), ROUNDS)
    assert len({tuple(counts) for counts in drawn.tolist()}) > ROUNDS // 2
    overall = {name: each for name, each in found.items() if name[0] not in ("day", "night")}
    for number in range(0, ROUNDS, 3):
        copies = [
            (name, f"{name}_{copy}")
            for name, count in zip(sorted(labels), drawn[number], strict=True)
            for copy in range(count)
        ]
        metrics = evaluate(
            {copy: labels[name] for name, copy in copies},
            {copy: detections[name] for name, copy in copies},
            protocol,
            CLASSES,
            operating_scores=scores,
        )
        assert_equal(overall, 1 + number, metrics)

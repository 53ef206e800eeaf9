"""Precision, recall and F1 at the scores that are best in other recordings."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.evaluation import compare, evaluate, find_operating_scores
from etram_pipeline.evaluation.curves import RECALLS, Ranking, rank_detections
from etram_pipeline.evaluation.operating_point import best_score, score_at
from etram_pipeline.evaluation.outcomes import match_classes
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import resolve_protocol
from etram_pipeline.evaluation.result import Metrics, OperatingPoint, flatten_metrics
from etram_pipeline.evaluation.scoring import gather_evidence

Make = Callable[..., Any]
MakeTables = Callable[..., tuple[Any, Any]]
Boxes = list[tuple[float, int]]
Found = list[tuple[float, int, float]]

LABELS: Boxes = [(0, 0), (100, 0), (200, 0), (300, 1)]
FOUND: Found = [
    *((0, 0, 0.875), (500, 0, 0.75), (100, 0, 0.625), (600, 0, 0.5), (700, 0, 0.5), (200, 0, 0.25)),
    *((300, 1, 0.375), (800, 1, 0.125)),
]
"""Cars (0) and a tram (1). F1 of cars by hand, score by score, is 2 right / (detected + 3 labels):
2/4, 2/5, 4/6, 4/8 for both of 0.5, and 6/9 again. Of all classes it is 2 right / (detected + 4):
2/5, 2/6, 4/7, 4/9, 6/10, 8/11, 8/12."""


@pytest.fixture
def tables(label_table: Make, detection_table: Make) -> MakeTables:
    """Makes tables of squares of 10 px at one moment, given by their left edge, class and score."""

    def make(labels: Boxes, found: Found) -> tuple[Any, Any]:
        return (
            {"a": label_table(*((7, x, 0, 10, 10, kind) for x, kind in labels))},
            {"a": detection_table(*((7, x, 0, 10, 10, kind, s) for x, kind, s in found))},
        )

    return make


@pytest.fixture
def point(tables: MakeTables, two_classes: Protocol) -> Make:
    """Measures the operating point, with scores found in the same or in other tables."""

    def run(labels: Boxes, found: Found, chosen_in: tuple[Boxes, Found]) -> OperatingPoint:
        scores = find_operating_scores(*tables(*chosen_in), two_classes)
        metrics = evaluate(*tables(labels, found), two_classes, operating_scores=scores)
        assert metrics.operating_point is not None
        return metrics.operating_point

    return run


def measured(point: OperatingPoint, name: str) -> tuple[float, ...]:
    found = point.per_class.get(name, point.overall)
    return found.score, found.precision, found.recall, found.f1, found.num_detections


def test_the_best_scores_are_those_found_by_hand(tables: MakeTables, two_classes: Protocol) -> None:
    scores = find_operating_scores(*tables(LABELS, FOUND), two_classes)
    assert scores is not None
    assert scores.common == 0.25
    assert scores.per_class == {"car": 0.625, "tram": 0.375}
    assert (scores.protocol, scores.ranking) == ("two", "joint")


def test_the_point_is_measured_in_other_recordings(point: Make) -> None:
    other: Found = [(0, 0, 0.7), (100, 0, 0.6), (200, 0, 0.625), (900, 0, 0.99), (300, 1, 0.3)]
    found = point(LABELS, other, (LABELS, FOUND))
    assert found.iou == 0.5
    assert measured(found, "car") == (0.625, 2 / 3, 2 / 3, 4 / 6, 3)
    assert measured(found, "tram") == (0.375, 0, 0, 0, 0)
    assert measured(found, "all") == (0.25, 4 / 5, 4 / 4, 8 / 9, 5)
    assert found.at_common_score == ()


def test_equal_scores_belong_together(point: Make) -> None:
    labels: Boxes = [(0, 0)]
    found: Found = [(0, 0, 0.5), (500, 0, 0.5)]
    assert measured(point(labels, found, (labels, found)), "car") == (0.5, 1 / 2, 1, 2 / 3, 2)


def test_a_class_without_labels_in_validation_takes_the_common_score(point: Make) -> None:
    found = point(LABELS, FOUND, ([(0, 0)], [(0, 0, 0.375), (300, 1, 0.875)]))
    assert found.at_common_score == ("tram",)
    assert measured(found, "tram") == (0.375, 1, 1, 1, 1)


def test_a_class_without_right_detections_in_validation_takes_the_common_score(
    point: Make,
) -> None:
    found = point(LABELS, FOUND, (LABELS, [(0, 0, 0.375), (700, 1, 0.875)]))
    assert found.at_common_score == ("tram",)
    assert found.per_class["tram"].score == 0.375


def test_a_class_without_labels_in_the_evaluated_recordings_has_no_values(point: Make) -> None:
    found = point([(0, 0)], FOUND, (LABELS, FOUND))
    assert measured(found, "tram") == (0.375, -1, -1, -1, 1)
    assert measured(found, "car")[1:] == (1 / 3, 1, 1 / 2, 3)


@pytest.mark.parametrize(
    ("labels", "found"), [([], FOUND), (LABELS, []), (LABELS, [(5000, 0, 0.9)]), ([], [])]
)
def test_without_a_right_detection_there_are_no_scores(
    tables: MakeTables, two_classes: Protocol, labels: Boxes, found: Found
) -> None:
    assert find_operating_scores(*tables(labels, found), two_classes) is None
    assert evaluate(*tables(LABELS, FOUND), two_classes).operating_point is None


def test_scores_found_by_other_choices_are_not_used(
    tables: MakeTables, two_classes: Protocol
) -> None:
    stricter = two_classes.model_copy(update={"iou_thresholds": (0.75,)})
    scores = find_operating_scores(*tables(LABELS, FOUND), stricter)
    assert evaluate(*tables(LABELS, FOUND), stricter, operating_scores=scores).operating_point
    assert not evaluate(
        *tables(LABELS, FOUND), two_classes, operating_scores=scores
    ).operating_point


def test_scores_of_protocols_that_differ_in_name_and_shown_values_are_the_same(
    tables: MakeTables, two_classes: Protocol
) -> None:
    scores = find_operating_scores(*tables(LABELS, FOUND), "coco", ("car", "tram"))
    metrics = evaluate(*tables(LABELS, FOUND), two_classes, operating_scores=scores)
    assert metrics.operating_point is not None


def test_a_protocol_that_ignores_classes_has_a_common_score_that_does(tables: MakeTables) -> None:
    agnostic = Protocol(name="one", class_names=("car", "tram"), class_aware=False)
    wrong_class = [(x, 1 - kind, 0.5) for x, kind in LABELS]
    scores = find_operating_scores(*tables(LABELS, wrong_class), agnostic)
    assert scores is not None
    assert (scores.common, scores.per_class) == (0.5, {})
    metrics = evaluate(*tables(LABELS, wrong_class), agnostic, operating_scores=scores)
    assert metrics.operating_point is not None
    assert metrics.operating_point.overall.f1 == 1


def test_a_few_values_are_logged_and_compared(tables: MakeTables, two_classes: Protocol) -> None:
    scores = find_operating_scores(*tables(LABELS, FOUND), two_classes)
    after = evaluate(*tables(LABELS, FOUND), two_classes, operating_scores=scores)
    before = evaluate(*tables(LABELS, FOUND[:1]), two_classes, operating_scores=scores)
    logged = {k: v for k, v in flatten_metrics(after).items() if "operating" in k}
    assert logged == {
        "test/two/operating/F1": 8 / 11,
        "test/two/operating/precision": 4 / 7,
        "test/two/operating/recall": 1,
        "test/two/operating/score": 0.25,
        "test/two/car/operating/F1": 4 / 6,
        "test/two/tram/operating/F1": 1,
    }
    assert compare(before, after)["operating/F1"] == pytest.approx(8 / 11 - 2 / 5)
    assert compare(before, after)["tram/operating/F1"] == 1
    assert Metrics.model_validate_json(after.model_dump_json()) == after


def test_values_without_labels_are_not_logged(tables: MakeTables, two_classes: Protocol) -> None:
    scores = find_operating_scores(*tables(LABELS, FOUND), two_classes)
    metrics = evaluate(*tables([], FOUND), two_classes, operating_scores=scores)
    assert not [name for name in flatten_metrics(metrics) if "operating" in name]


@pytest.mark.parametrize("num_scores", [None, 5])
@pytest.mark.parametrize("name", ["coco", "etram_fork", "rvt_gen4"])
@pytest.mark.parametrize("seed", range(2))
def test_no_other_observed_score_has_a_higher_f1(
    random_tables: Make, seed: int, name: str, num_scores: int | None
) -> None:
    """The F1 of each score is measured anew, on tables that hold nothing below it."""
    labels, detections = random_tables(seed, num_recordings=2, num_scores=num_scores)
    protocol = resolve_protocol(name)
    chosen = find_operating_scores(labels, detections, protocol)
    assert chosen is not None
    everything = chosen.model_copy(update={"common": -1.0, "per_class": {}})

    def measure(scores: OperatingScores, least: float) -> dict[str, float]:
        above = {key: table[table[column] >= least] for key, table in detections.items()}
        point = evaluate(labels, above, protocol, operating_scores=scores).operating_point
        assert point is not None
        of_class = {name: found.f1 for name, found in point.per_class.items()}
        return {"all classes": point.overall.f1} | of_class

    column = protocol.score_column
    best = measure(chosen, -1.0)
    observed = np.unique(np.concatenate([table[column] for table in detections.values()]))
    for f1 in (measure(everything, least) for least in observed[:: max(1, len(observed) // 20)]):
        assert all(f1[name] <= best[name] for name in best)


@pytest.mark.parametrize("name", ["coco", "rvt_gen4"])
def test_right_detections_are_those_of_the_curves(random_tables: Make, name: str) -> None:
    """Precision of the rankings, as an envelope at COCO's recalls, is that behind AP50."""
    labels, detections = random_tables(4)
    protocol = resolve_protocol(name)
    evidence = gather_evidence(labels, detections, protocol)
    metrics = evaluate(labels, detections, protocol)
    rankings = rank_detections(evidence.compare(match_classes))
    for class_name, ranking in zip(evidence.class_names, rankings, strict=True):
        if not ranking.num_labels:
            continue
        num_right = np.cumsum(ranking.is_right)
        precision = num_right / np.arange(1, len(num_right) + 1)
        recall = num_right / ranking.num_labels
        envelope = [max(precision[recall >= least - 1e-12], default=0) for least in RECALLS]
        assert envelope == pytest.approx(metrics.precision_recall[class_name])


def test_scores_of_nothing_are_no_score() -> None:
    nothing = Ranking(np.empty(0), np.empty(0, bool), 3, np.empty(0, np.int64))
    assert best_score(nothing) is None
    assert score_at(nothing, 0.5).f1 == 0

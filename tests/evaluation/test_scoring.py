"""Examples worked out by hand, and what must hold whatever the tables."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest

from etram_pipeline.core.errors import LabelError, ProtocolError
from etram_pipeline.evaluation import compare, evaluate
from etram_pipeline.evaluation.evidence import Engine
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.result import Metrics, flatten_metrics

Make = Callable[..., Any]
ENGINES: tuple[Engine, ...] = ("compiled", "faster_coco_eval", "pycocotools")


@pytest.fixture
def evaluate_one(
    label_table: Make, detection_table: Make, two_classes: Protocol
) -> Callable[..., Metrics]:
    """Evaluates one recording of the rows given."""

    def run(labels: list[Any], detections: list[Any], **changes: object) -> Metrics:
        protocol = two_classes.model_copy(update=changes)
        return evaluate({"a": label_table(*labels)}, {"a": detection_table(*detections)}, protocol)

    return run


def test_a_detection_on_its_label_is_perfect(evaluate_one: Make) -> None:
    metrics = evaluate_one([(7, 10, 10, 20, 20, 0)], [(7, 10, 10, 20, 20, 0, 0.9)])
    assert metrics.overall["AP"] == metrics.overall["AP_S"] == pytest.approx(1)
    assert metrics.overall["AR_1"] == 1
    assert metrics.overall["AP_L"] == -1


@pytest.mark.parametrize(("spacing_us", "detections"), [(50_000, 22), (50_001, 8)])
def test_labels_closer_than_the_tolerance_are_told(
    evaluate_one: Make, caplog: pytest.LogCaptureFixture, spacing_us: int, detections: int
) -> None:
    times_us = [spacing_us * number for number in range(1, 9)]
    metrics = evaluate_one(
        [(t, 10, 10, 20, 20, 0) for t in times_us],
        [(t, 10, 10, 20, 20, 0, 0.9) for t in times_us],
        tolerance_us=50_000,
        moments="all",
    )
    assert metrics.num_detections == detections
    assert ("detections count 2.8 times, and AP is too low" in caplog.text) == (detections > 8)


def test_ap_averages_over_the_overlaps_that_are_reached(evaluate_one: Make) -> None:
    # Half of the detection's area and a bit: the boxes share 100 of 160 px², IoU 0.625.
    metrics = evaluate_one([(7, 0, 0, 10, 13, 0)], [(7, 0, 3, 10, 13, 0, 0.9)])
    assert metrics.overall["AP_50"] == pytest.approx(1)
    assert metrics.overall["AP_75"] == 0
    assert metrics.overall["AP"] == pytest.approx(3 / 10)  # at 0.5, 0.55 and 0.6


def test_an_overlap_that_is_not_asked_for_is_not_reported(evaluate_one: Make) -> None:
    rows = [(7, 0, 0, 10, 13, 0)], [(7, 0, 3, 10, 13, 0, 0.9)]
    metrics = evaluate_one(*rows, iou_thresholds=(0.5, 0.6, 0.65))
    assert metrics.overall["AP"] == pytest.approx(2 / 3)
    assert "AP_75" not in metrics.overall


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [((0.2,), 51 / 101), ((0.75,), 0), ((0.1, 0.3, 0.9), (1 + 51 / 101) / 3)],
)
def test_overlaps_need_not_include_a_half(
    label_table: Make,
    detection_table: Make,
    two_classes: Protocol,
    thresholds: tuple[float, ...],
    expected: float,
    engine: Engine,
) -> None:
    # The boxes share 100 of 160 px², IoU 0.625, and 30 of 170 px², IoU 0.176.
    labels = {"a_day": label_table((7, 0, 0, 10, 13, 0), (8, 0, 0, 10, 10, 0))}
    rows = (7, 0, 3, 10, 13, 0, 0.9), (8, 7, 0, 10, 10, 0, 0.8)
    protocol = two_classes.model_copy(update={"iou_thresholds": thresholds})
    metrics = evaluate(labels, {"a_day": detection_table(*rows)}, protocol, engine=engine)
    assert metrics.overall["AP"] == pytest.approx(expected)
    assert "AP_50" not in metrics.overall
    assert ("AP_75" in metrics.overall) == (0.75 in thresholds)
    assert set(flatten_metrics(metrics)) >= {"test/two/AP", "test/two/car/AP", "test/two/day/AP"}
    assert not any(name.endswith("AP_50") for name in flatten_metrics(metrics))
    assert compare(metrics, metrics)["car/AP"] == 0
    assert len(metrics.precision_recall["car"]) == 101


def test_a_better_scored_false_detection_halves_precision(evaluate_one: Make) -> None:
    metrics = evaluate_one(
        [(7, 0, 0, 10, 10, 0)], [(7, 90, 90, 10, 10, 0, 0.9), (7, 0, 0, 10, 10, 0, 0.8)]
    )
    assert metrics.overall["AP"] == pytest.approx(0.5)
    assert metrics.precision_recall["car"] == pytest.approx([0.5] * 101)


def test_a_missed_label_cuts_recall(evaluate_one: Make) -> None:
    metrics = evaluate_one(
        [(7, 0, 0, 10, 10, 0), (7, 50, 0, 10, 10, 0)], [(7, 0, 0, 10, 10, 0, 0.9)]
    )
    assert metrics.overall["AR_100"] == pytest.approx(0.5)
    assert metrics.overall["AP"] == pytest.approx(51 / 101)  # recalls 0, 0.01 … 0.5


def test_a_second_detection_of_one_label_is_false(evaluate_one: Make) -> None:
    metrics = evaluate_one(
        [(7, 0, 0, 10, 10, 0), (7, 50, 0, 10, 10, 0)],
        [(7, 0, 0, 10, 10, 0, 0.9), (7, 0, 0, 10, 10, 0, 0.8), (7, 50, 0, 10, 10, 0, 0.7)],
    )
    assert metrics.precision_recall["car"][100] == pytest.approx(2 / 3)


def test_a_class_without_labels_is_left_out_of_the_mean(evaluate_one: Make) -> None:
    metrics = evaluate_one(
        [(7, 0, 0, 10, 10, 0)], [(7, 0, 0, 10, 10, 0, 0.9), (7, 50, 0, 10, 10, 1, 0.8)]
    )
    assert metrics.overall["AP"] == metrics.per_class["car"].metrics["AP"] == pytest.approx(1)
    assert metrics.per_class["tram"].metrics["AP"] == -1
    assert set(metrics.precision_recall["tram"]) == {-1}
    assert (metrics.per_class["tram"].num_labels, metrics.per_class["tram"].num_detections) == (
        0,
        1,
    )


def test_a_wrong_class_costs_only_where_classes_count(evaluate_one: Make) -> None:
    labels, detections = [(7, 0, 0, 10, 10, 0)], [(7, 0, 0, 10, 10, 1, 0.9)]
    assert evaluate_one(labels, detections).overall["AP"] == 0
    blind = evaluate_one(labels, detections, class_aware=False)
    assert blind.overall["AP"] == pytest.approx(1)
    assert blind.per_class["car"].metrics["AP"] == 0


def test_no_detection_scores_zero_throughout(evaluate_one: Make) -> None:
    metrics = evaluate_one([(7, 0, 0, 10, 10, 0)], [])
    assert set(metrics.overall.values()) == {0}
    assert metrics.per_class["tram"].metrics["AP"] == -1
    assert metrics.confusion.counts == ((0, 0, 1), (0, 0, 0), (0, 0, 0))


def test_no_ground_truth_scores_minus_one(evaluate_one: Make) -> None:
    for detections in ([], [(7, 0, 0, 10, 10, 0, 0.9)]):
        metrics = evaluate_one([], detections)
        assert set(metrics.overall.values()) == {-1}
        assert metrics.num_frames == metrics.num_labels == 0


def test_a_false_detection_on_an_empty_frame_costs_only_where_all_frames_count(
    evaluate_one: Make,
) -> None:
    labels = [(100_000, 0, 0, 10, 10, 0)]
    detections = [(100_000, 0, 0, 10, 10, 0, 0.8), (300_000, 0, 0, 10, 10, 0, 0.9)]
    assert evaluate_one(labels, detections).overall["AP"] == pytest.approx(1)
    strict = evaluate_one(labels, detections, frames="all")
    assert strict.overall["AP"] == pytest.approx(0.5)
    assert strict.num_frames == 2


def test_ranking_by_class_score_ignores_objectness(
    label_table: Make, detection_table: Make, two_classes: Protocol
) -> None:
    labels = {"a": label_table((7, 0, 0, 10, 10, 0))}
    detections = {"a": detection_table((7, 90, 0, 10, 10, 0, 0.5), (7, 0, 0, 10, 10, 0, 0.4))}
    detections["a"]["class_confidence"] = [0.6, 0.9]
    ranked = {
        ranking: evaluate(labels, detections, two_classes.model_copy(update={"ranking": ranking}))
        for ranking in ("class", "joint")
    }
    assert ranked["class"].overall["AP"] == pytest.approx(1)
    assert ranked["joint"].overall["AP"] == pytest.approx(0.5)


def test_sizes_are_measured_on_the_grid(evaluate_one: Make) -> None:
    rows = [(7, 0, 0, 40, 40, 0)], [(7, 0, 0, 40, 40, 0, 0.9)]
    assert evaluate_one(*rows).overall["AP_M"] == pytest.approx(1)
    assert evaluate_one(*rows, pixel_scale=0.5).overall["AP_S"] == pytest.approx(1)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("class_aware", [True, False])
@pytest.mark.parametrize("num_scores", [None, 5])
def test_every_engine_gives_the_same_numbers(
    random_tables: Make, engine: Engine, class_aware: Literal[True, False], num_scores: int | None
) -> None:
    labels, detections = random_tables(3, num_scores=num_scores)
    protocol = Protocol(
        name="x", class_aware=class_aware, max_detections=(1, 5), area_ranges={"tiny": (0, 900)}
    )
    expected = evaluate(labels, detections, protocol)
    metrics = evaluate(labels, detections, protocol, engine=engine)
    assert metrics.overall == pytest.approx(expected.overall, abs=1e-12)
    assert metrics.groups["day"] == pytest.approx(expected.groups["day"], abs=1e-12)
    for name, part in metrics.per_class.items():
        assert part.metrics == pytest.approx(expected.per_class[name].metrics, abs=1e-12)
        assert metrics.precision_recall[name] == pytest.approx(
            expected.precision_recall[name], abs=1e-12
        )


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_bears_empty_tables(
    label_table: Make, detection_table: Make, two_classes: Protocol, engine: Engine
) -> None:
    metrics = evaluate({"a": label_table()}, {"a": detection_table()}, two_classes, engine=engine)
    assert set(metrics.overall.values()) == {-1}


@pytest.mark.parametrize("protocol", ["coco", "etram_fork"])
def test_the_order_of_rows_and_recordings_changes_nothing(
    random_tables: Make, protocol: str
) -> None:
    rng = np.random.default_rng(0)
    labels, detections = random_tables(4)
    shuffled = dict(reversed([(name, rng.permutation(table)) for name, table in labels.items()]))
    reshuffled = {name: rng.permutation(table) for name, table in detections.items()}
    expected = evaluate(labels, detections, protocol)
    metrics = evaluate(shuffled, reshuffled, protocol)
    assert metrics.overall == pytest.approx(expected.overall, abs=1e-12)
    assert metrics.confusion == expected.confusion


def test_labels_as_detections_are_perfect(random_tables: Make, detection_table: Make) -> None:
    labels, _ = random_tables(5)
    detections = {}
    for name, table in labels.items():
        rows = [table[column].tolist() for column in ("t", "x", "y", "w", "h", "class_id")]
        detections[name] = detection_table(*zip(*rows, [0.9] * len(table), strict=True))
    metrics = evaluate(labels, detections, "coco")
    assert metrics.overall["AP"] == metrics.groups["day"]["AP"] == pytest.approx(1)
    counts = np.array(metrics.confusion.counts)
    assert np.array_equal(counts, np.diag(counts.diagonal()))


def test_a_worst_scored_false_detection_does_not_raise_ap(random_tables: Make) -> None:
    labels, detections = random_tables(6)
    before = evaluate(labels, detections, "coco").overall
    for name, table in detections.items():
        worst = table[:1].copy()
        worst["t"], worst["x"], worst["score"] = labels[name]["t"][0], 5_000, 1e-6
        detections[name] = np.concatenate([table, worst])
    after = evaluate(labels, detections, "coco").overall
    assert after["AP"] <= before["AP"]
    assert after["AR_100"] == before["AR_100"]


def test_recordings_are_grouped_by_time_of_day(random_tables: Make) -> None:
    labels, detections = random_tables(7)
    metrics = evaluate(labels, detections, "coco")
    night = {name: table for name, table in labels.items() if "night" in name}
    alone = evaluate(night, {name: detections[name] for name in night}, "coco")
    assert set(metrics.groups) == {"day", "night"}
    assert metrics.groups["night"] == pytest.approx(alone.overall, abs=1e-12)


def test_tables_are_left_as_they_were(random_tables: Make) -> None:
    labels, detections = random_tables(8)
    before = {name: table.tobytes() for name, table in (labels | detections).items()}
    evaluate(labels, detections, "rvt_gen4")
    assert {name: table.tobytes() for name, table in (labels | detections).items()} == before


def test_a_recording_without_detections_is_named(random_tables: Make) -> None:
    labels, detections = random_tables(9)
    del detections["test/test_day_0001"]
    with pytest.raises(ValueError, match=r"test_day_0001.*no table of detections"):
        evaluate(labels, detections, "coco")


def test_detections_without_labels_are_named(random_tables: Make) -> None:
    labels, detections = random_tables(9, num_recordings=8)
    for name in list(labels)[1:]:
        del labels[name]
    with pytest.raises(ValueError, match=r"test_day_0001.* and 2 more, but no labels"):
        evaluate(labels, detections, "coco")


def test_nothing_to_evaluate_is_an_error() -> None:
    with pytest.raises(ValueError, match="no recording"):
        evaluate({}, {}, "coco")


def test_an_unknown_protocol_is_named_with_the_known_ones(random_tables: Make) -> None:
    labels, detections = random_tables(9)
    with pytest.raises(ProtocolError, match=r"'etram8'.*'etram_8class'.*rvt_gen4"):
        evaluate(labels, detections, "etram8")


def test_a_broken_table_is_named(random_tables: Make) -> None:
    labels, detections = random_tables(9)
    detections["test/test_day_0001"]["w"][3] = np.nan
    with pytest.raises(LabelError, match=r"detection table of 'test/test_day_0001'.*row 3"):
        evaluate(labels, detections, "coco")

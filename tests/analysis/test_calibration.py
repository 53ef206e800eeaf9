"""Expected calibration error, and the scaling that lowers it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etram_pipeline.analysis.calibration import find_calibration, measure_calibration
from etram_pipeline.analysis.reliability import (
    NUM_BINS,
    flatten_calibration,
    measure_reliability,
)
from etram_pipeline.core.calibration import LOWEST_SCORE
from etram_pipeline.core.scaling_kind import ScalingKind
from etram_pipeline.evaluation import evaluate
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.labels.detections import (
    DETECTION_DTYPE,
    DetectionTable,
    with_calibrated_scores,
)
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable

Tables = tuple[dict[str, LabelTable], dict[str, DetectionTable]]

TWO = Protocol(name="two", class_names=("car", "tram"))
_SIZE = 10


def written(rows: list[tuple[int, int, bool, float]]) -> Tables:
    """Detections with time, class, whether they are right and score; each has its own place."""
    labels, detections = np.zeros(len(rows), LABEL_DTYPE), np.zeros(len(rows), DETECTION_DTYPE)
    for table in (labels, detections):
        table["t"], table["class_id"] = [row[0] for row in rows], [row[1] for row in rows]
        table["x"] = 3 * _SIZE * np.arange(len(rows))
        table["w"] = table["h"] = _SIZE
    detections["y"] = [0 if row[2] else 1000 for row in rows]
    detections["score"] = [row[3] for row in rows]
    detections["class_confidence"] = 0.5
    return {"a": labels}, {"a": detections}


def simulated(seed: int, slope: float, bias: float) -> Tables:
    """Frames whose detections are right with the probability that slope and bias give them."""
    draws = np.random.default_rng(seed)
    logits = draws.normal(-1, 2, 3000)
    is_right = draws.random(3000) < 1 / (1 + np.exp(-(slope * logits + bias)))
    scores = 1 / (1 + np.exp(-logits))
    times, classes = np.sort(draws.integers(0, 100, 3000)), draws.integers(0, 2, 3000)
    columns = (times, classes, is_right, scores)
    return written(list(zip(*(column.tolist() for column in columns), strict=True)))


def slow_ece(scores: list[float], are_right: list[bool]) -> float:
    """By its definition, bin by bin."""
    total = 0.0
    for number in range(NUM_BINS):
        low, high = number / NUM_BINS, (number + 1) / NUM_BINS
        last = number == NUM_BINS - 1
        inside = [
            place for place, score in enumerate(scores) if low <= score and (score < high or last)
        ]
        if inside:
            precision = sum(are_right[place] for place in inside) / len(inside)
            confidence = sum(scores[place] for place in inside) / len(inside)
            total += len(inside) / len(scores) * abs(precision - confidence)
    return total


def test_the_error_of_two_bins_by_hand() -> None:
    scores, is_right = np.array([0.61, 0.63, 0.9, 0.92]), np.array([True, False, True, True])
    found = measure_reliability(scores, is_right)
    # |0.62 - 0.5| and |0.91 - 1|, each of half of the detections
    assert found.ece == pytest.approx((0.12 + 0.09) / 2)
    assert [each.low for each in found.bins] == pytest.approx([0.6, 0.9])
    assert [each.num_detections for each in found.bins] == [2, 2]
    assert [each.share_right for each in found.bins] == [0.5, 1]
    assert (found.share_right, found.num_detections) == (0.75, 4)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_the_error_is_that_of_its_definition(pairs: list[tuple[float, bool]]) -> None:
    scores, are_right = [score for score, _ in pairs], [right for _, right in pairs]
    found = measure_reliability(np.array(scores), np.array(are_right))
    if not any(np.isclose(score * NUM_BINS, round(score * NUM_BINS)) for score in scores):
        assert found.ece == pytest.approx(slow_ece(scores, are_right), abs=1e-12)
    assert 0 <= found.ece <= 1
    assert sum(each.num_detections for each in found.bins) == len(pairs)


def test_nothing_detected_has_no_error() -> None:
    found = measure_reliability(np.zeros(0), np.zeros(0, bool))
    assert (found.ece, found.num_detections, found.bins) == (0, 0, ())


def test_weak_detections_do_not_count() -> None:
    weak = [(0, 0, False, 0.01)] * 50
    strong = [(1, 0, True, 0.75), (1, 1, False, 0.75), (1, 1, True, LOWEST_SCORE + 0.01)]
    found = measure_calibration(*written(weak + strong), TWO)
    assert found.overall.num_detections == 3
    assert found.overall == measure_calibration(*written(strong), TWO).overall
    assert {name: each.num_detections for name, each in found.per_class.items()} == {
        "car": 1,
        "tram": 2,
    }
    assert found.per_class["car"].ece == pytest.approx(0.25)
    assert (found.iou, found.lowest_score) == (0.5, LOWEST_SCORE)


def test_the_score_is_meant_whatever_the_protocol_ranks_by() -> None:
    tables = simulated(1, 1, 0)
    by_class = TWO.model_copy(update={"ranking": "class", "latency_ms": 40})
    assert measure_calibration(*tables, by_class) == measure_calibration(*tables, TWO)


def test_without_classes_a_detection_of_another_class_is_right() -> None:
    labels, detections = written([(0, 0, True, 0.75)])
    detections["a"]["class_id"] = 1
    agnostic = TWO.model_copy(update={"class_aware": False})
    assert measure_calibration(labels, detections, TWO).overall.share_right == 0
    assert measure_calibration(labels, detections, agnostic).overall.share_right == 1


@pytest.mark.parametrize("kind", ["temperature", "platt", "isotonic"])
@pytest.mark.parametrize(("slope", "bias"), [(2.0, 0.0), (0.5, 0.0), (2.0, 0.4)])
def test_the_error_falls_in_recordings_that_the_scaling_has_not_seen(
    kind: ScalingKind, slope: float, bias: float
) -> None:
    calibration = find_calibration(*simulated(2, slope, bias), TWO, kind=kind)
    found = measure_calibration(*simulated(3, slope, bias), TWO, calibration=calibration)
    assert found.scaled_overall is not None
    assert found.scaled_overall.ece < 0.6 * found.overall.ece
    assert found.scaled_overall.num_detections == found.overall.num_detections
    for name, before in found.per_class.items():
        assert found.scaled_per_class[name].ece < before.ece


def test_scores_that_are_all_too_low_need_more_than_a_temperature() -> None:
    val, test = simulated(4, 1, 2), simulated(5, 1, 2)
    errors = {}
    for kind in ("temperature", "platt"):
        calibration = find_calibration(*val, TWO, kind=kind)
        scaled = measure_calibration(*test, TWO, calibration=calibration).scaled_overall
        assert scaled is not None
        errors[kind] = scaled.ece
    assert errors["platt"] < 0.4 * errors["temperature"]


@pytest.mark.parametrize("kind", ["temperature", "platt", "isotonic"])
def test_average_precision_stays_the_same_to_the_last_digit(kind: ScalingKind) -> None:
    labels, detections = simulated(6, 2, 0)
    # As saturated as in half precision: many equal scores, and neighbours of 1.
    rough = detections["a"]["score"].astype(np.float16).astype(np.float32)
    rough[:40] = 1 - np.arange(40) * 2.0**-24
    detections["a"]["score"] = rough
    calibration = find_calibration(labels, detections, TWO, kind=kind)
    assert calibration is not None
    scaled = {"a": with_calibrated_scores(detections["a"], calibration)}
    assert (np.unique(scaled["a"]["score"]).size) == np.unique(rough).size
    before, after = (evaluate(labels, each, TWO) for each in (detections, scaled))
    assert before.overall == after.overall
    assert before.per_class == after.per_class
    assert before.precision_recall == after.precision_recall


def test_stored_scores_that_were_scaled_count_as_before() -> None:
    labels, detections = simulated(7, 2, 0)
    calibration = find_calibration(*simulated(8, 2, 0), TWO)
    assert calibration is not None
    scaled = {"a": with_calibrated_scores(detections["a"], calibration)}
    expected = measure_calibration(labels, detections, TWO, calibration=calibration)
    found = measure_calibration(labels, scaled, TWO, calibration=calibration, applied=True)
    assert found.are_calibrated
    assert found.scaled_overall is None
    assert found.overall == expected.scaled_overall


def test_a_scaling_found_by_other_choices_is_not_tried() -> None:
    calibration = find_calibration(*simulated(2, 2, 0), TWO)
    strict = Protocol(name="strict", class_names=("car", "tram"), iou_thresholds=(0.9,))
    found = measure_calibration(*simulated(3, 2, 0), strict, calibration=calibration)
    assert (found.calibration, found.scaled_overall) == (None, None)


def test_without_a_right_detection_there_is_no_scaling() -> None:
    assert find_calibration(*written([(0, 0, False, 0.9)]), TWO) is None
    assert find_calibration(*written([]), TWO) is None


def test_numbers_have_names_for_mlflow() -> None:
    tables = written([(0, 0, True, 0.75), (0, 0, True, 0.75)])
    calibration = find_calibration(*tables, TWO)
    result = measure_calibration(*tables, TWO, calibration=calibration)
    found = flatten_calibration(result.model_copy(update={"split": "test"}))
    assert found.keys() == {
        "test/two/calibration/ece",
        "test/two/calibration/scaled_ece",
        "test/two/car/calibration/ece",
        "test/two/car/calibration/scaled_ece",
    }
    assert found["test/two/calibration/ece"] == pytest.approx(0.25)

"""The same repairs by TIDE's own code, on random sets whose scores are all distinct."""

from typing import Any

import numpy as np
import pytest
from tests.analysis.conftest import compare_recordings, random_evidence

from etram_pipeline.analysis.error_report import measure_errors
from etram_pipeline.analysis.errors import judge_evidence
from etram_pipeline.analysis.judgement import KINDS
from etram_pipeline.analysis.repairs import Precision, mistakes_of
from etram_pipeline.evaluation.evidence import Evidence

tidecv = pytest.importorskip("tidecv", reason="pip install -e '.[dev]'")

THEIR_NAMES = ("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss")
SEEDS = (2, 3, 10)


def run_of(evidence: Evidence) -> Any:  # noqa: ANN401  # the library has no types
    """A run of TIDE on the same boxes, without its limit of boxes per frame."""
    frames = evidence.frames
    truth, found = (tidecv.Data(name, max_dets=10_000) for name in ("truth", "found"))
    for class_id, name in enumerate(evidence.class_names):
        truth.add_class(class_id, name)
    for frame in range(len(frames)):
        truth.add_image(frame, str(frame))
    columns = (
        (boxes.frames.tolist(), boxes.class_ids.tolist(), boxes.boxes_xywh.tolist())
        for boxes in (frames.labels, frames.detections)
    )
    for frame, class_id, box in zip(*next(columns), strict=True):
        truth.add_ground_truth(frame, class_id, box)
    for row, (frame, class_id, box) in enumerate(zip(*next(columns), strict=True)):
        found.add_detection(frame, class_id, float(frames.detections.scores[row]), box)
    return tidecv.TIDE().evaluate(truth, found, name="random")


@pytest.fixture(scope="module")
def compared() -> dict[int, tuple[Evidence, Any]]:
    """Random evidence, and TIDE's run on it, by seed."""
    found = {seed: random_evidence(seed) for seed in SEEDS}
    return {seed: (evidence, run_of(evidence)) for seed, evidence in found.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_kind_and_gain_is_that_of_tide(seed: int, compared: Any) -> None:  # noqa: ANN401
    evidence, run = compared[seed]
    judged = judge_evidence(evidence)
    precision = Precision.of(judged)
    now = precision.overall(precision.as_it_is)
    theirs = {error.short_name: value for error, value in run.fix_main_errors().items()}
    counts = {error.short_name: value for error, value in run.count_errors().items()}
    assert now == pytest.approx(run.ap / 100, abs=1e-9)
    for name, kind in zip(THEIR_NAMES, KINDS, strict=True):
        wrong, missed = mistakes_of(judged, kind)
        gain = precision.overall(precision.repaired(wrong, missed)) - now
        assert gain == pytest.approx(theirs[name] / 100, abs=1e-9), kind
        assert wrong.sum() + missed.sum() == counts[name], kind
        assert counts[name] > 5, kind  # enough of each to tell


@pytest.mark.parametrize("seed", SEEDS)
def test_special_errors_are_those_of_tide(seed: int, compared: Any) -> None:  # noqa: ANN401
    evidence, run = compared[seed]
    costs = measure_errors(evidence, judge_evidence(evidence)).overall
    theirs = {error.short_name: value for error, value in run.fix_special_errors().items()}
    assert costs.false_positives == pytest.approx(theirs["FalsePos"] / 100, abs=1e-9)
    assert costs.false_negatives == pytest.approx(theirs["FalseNeg"] / 100, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_gains_by_size_and_class_are_those_of_tide(seed: int, compared: Any) -> None:  # noqa: ANN401
    evidence, run = compared[seed]
    report = measure_errors(evidence, judge_evidence(evidence))
    for size, (low, high) in evidence.protocol.area_ranges.items():
        chosen = tidecv.Qualifier(size, lambda box, low=low, high=high: low <= area(box) <= high)
        theirs = {
            error.short_name: value for error, value in run.fix_main_errors(qual=chosen).items()
        }
        for name, kind in zip(THEIR_NAMES, KINDS, strict=True):
            assert report.per_size[size].gains[kind] == pytest.approx(theirs[name] / 100, abs=1e-9)
    types = {error.short_name: error for error in run.fix_main_errors()}
    for name, kind in zip(THEIR_NAMES, KINDS, strict=True):
        repaired = run.fix_errors(lambda error, name=name: isinstance(error, types[name]))
        for class_id, class_name in enumerate(evidence.class_names):
            gain = repaired.objs[class_id].get_ap() - run.ap_data.objs[class_id].get_ap()
            assert report.per_class[class_name].gains[kind] == pytest.approx(gain / 100, abs=1e-9)


def area(box: dict[str, Any]) -> float:
    """Area of a box of TIDE in px²."""
    return float(box["bbox"][2] * box["bbox"][3])


def test_where_a_recall_is_a_whole_percentage_tide_reads_it_beside_coco() -> None:
    """TIDE divides by 100, COCO takes `linspace`: for some recalls, the last bits differ."""
    evidence = random_evidence(1)
    judged, run = judge_evidence(evidence), run_of(evidence)
    wrong, missed = mistakes_of(judged, "class")
    ours = Precision.of(judged).repaired(wrong, missed)
    types = {error.short_name: error for error in run.fix_main_errors()}
    repaired = run.fix_errors(lambda error: isinstance(error, types["Cls"])).objs
    theirs = [repaired[class_id].get_ap() / 100 for class_id in range(3)]
    assert ours.tolist() != pytest.approx(theirs, abs=1e-9)
    read_as_coco = [
        read(
            sorted(repaired[class_id].data_points.values(), key=lambda point: -point[0]),
            repaired[class_id].num_gt_positives,
        )
        for class_id in range(3)
    ]
    assert ours.tolist() == pytest.approx(read_as_coco, abs=1e-9)


def read(points: list[tuple[float, bool, Any]], num_labels: int) -> float:
    """Average precision at COCO's recalls, slowly."""
    found = np.cumsum([is_right for _, is_right, _ in points])
    precision = found / np.arange(1, len(points) + 1)
    recalls = np.linspace(0, 1, 101)
    best = [precision[found / num_labels >= recall].max(initial=0) for recall in recalls]
    return float(np.mean(best))


CAR = (100, 0, 0, 40, 40, 0)
RIGHT = (100, 0, 0, 40, 40, 0, 0.9)
ELSEWHERE = (100, 300, 300, 40, 40, 0, 0.95)


def test_tide_counts_a_class_without_labels_if_something_was_detected() -> None:
    evidence = compare_recordings({"a": ([CAR], [RIGHT, (100, 300, 300, 40, 40, 2, 0.5)])})
    precision = Precision.of(judge_evidence(evidence))
    assert precision.overall(precision.as_it_is) == pytest.approx(1)
    assert run_of(evidence).ap == pytest.approx(50)


def test_tide_leaves_a_class_out_whose_labels_are_all_taken_away() -> None:
    labels = [CAR, (100, 100, 0, 40, 40, 1)]
    evidence = compare_recordings({"a": (labels, [ELSEWHERE, RIGHT])})
    ours = measure_errors(evidence, judge_evidence(evidence)).overall.gains["missed"]
    theirs = {error.short_name: gain for error, gain in run_of(evidence).fix_main_errors().items()}
    assert ours == pytest.approx((0.5 + 1) / 2 - 0.25)
    assert theirs["Miss"] / 100 == pytest.approx(0.5 - 0.25)


def test_tide_calls_a_box_at_the_threshold_misplaced() -> None:
    evidence = compare_recordings({"a": ([CAR], [RIGHT, (100, 0, 0, 40, 20, 0, 0.5)])})
    ours = measure_errors(evidence, judge_evidence(evidence)).overall.counts
    theirs = {error.short_name: count for error, count in run_of(evidence).count_errors().items()}
    assert (ours["duplicate"], theirs["Dupe"]) == (1, 0)
    assert (ours["location"], theirs["Loc"]) == (0, 1)

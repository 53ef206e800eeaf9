"""One example of each kind, worked out by hand, and what must hold of all detections."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.conftest import random_evidence

from etram_pipeline.analysis.errors import find_mistakes, judge_evidence
from etram_pipeline.analysis.judgement import KINDS, NO_LABEL
from etram_pipeline.evaluation.curves import rank_detections
from etram_pipeline.evaluation.evidence import Evidence
from etram_pipeline.evaluation.outcomes import match_classes

CAR = (100, 0, 0, 40, 40, 0)
"""A label at 100 us: x, y, width and height in px, class."""


def kinds_of(evidence: Evidence) -> list[str]:
    """Kind of each mistake, best detection first, then those of labels."""
    mistakes = find_mistakes(evidence, judge_evidence(evidence))
    order = np.argsort(-np.nan_to_num(mistakes.scores, nan=-1))
    return [KINDS[kind] for kind in mistakes.kinds[order]]


@pytest.mark.parametrize(
    ("detection", "kinds"),
    [
        ((100, 0, 0, 40, 40, 0, 0.9), []),
        ((100, 0, 0, 40, 40, 1, 0.9), ["class"]),
        ((100, 0, 0, 40, 20, 0, 0.9), []),  # half of the label, which is enough
        ((100, 0, 0, 40, 16, 0, 0.9), ["location"]),
        ((100, 0, 0, 40, 4, 0, 0.9), ["location"]),  # a tenth
        ((100, 0, 0, 40, 16, 1, 0.9), ["both", "missed"]),
        ((100, 0, 0, 40, 3, 0, 0.9), ["background", "missed"]),
        ((100, 0, 0, 40, 4, 1, 0.9), ["background", "missed"]),  # a tenth of another class
        ((100, 200, 0, 40, 40, 0, 0.9), ["background", "missed"]),
    ],
)
def test_a_single_detection_is_of_the_kind_that_the_paper_defines(
    compare: Callable[..., Evidence], detection: tuple[float, ...], kinds: list[str]
) -> None:
    assert kinds_of(compare([CAR], [detection])) == kinds


def test_of_two_detections_of_one_object_the_weaker_is_a_duplicate(
    compare: Callable[..., Evidence],
) -> None:
    found = [(100, 0, 0, 40, 39, 0, 0.9), (100, 0, 0, 40, 40, 0, 0.8)]
    assert kinds_of(compare([CAR], found)) == ["duplicate"]


def test_an_object_whose_class_or_place_could_be_repaired_is_not_missed(
    compare: Callable[..., Evidence],
) -> None:
    found = [(100, 0, 0, 40, 16, 0, 0.9), (100, 0, 0, 40, 40, 1, 0.8)]
    evidence = compare([CAR], found)
    assert kinds_of(evidence) == ["location", "class"]
    assert judge_evidence(evidence).is_repaired.tolist() == [True, False]


def test_a_label_of_its_class_nearby_goes_before_one_of_another_class(
    compare: Callable[..., Evidence],
) -> None:
    labels = [CAR, (100, 0, 0, 40, 16, 1)]
    assert kinds_of(compare(labels, [(100, 0, 0, 40, 16, 0, 0.9)])) == ["location", "missed"]


def test_a_protocol_that_ignores_classes_knows_no_wrong_class(
    compare: Callable[..., Evidence],
) -> None:
    found = [(100, 0, 0, 40, 40, 1, 0.9), (100, 0, 0, 40, 16, 2, 0.8)]
    assert kinds_of(compare([CAR], found, class_aware=False)) == ["location"]


def test_overlap_is_judged_at_the_least_threshold_of_a_protocol_without_one_half(
    compare: Callable[..., Evidence],
) -> None:
    found = [(100, 0, 0, 40, 16, 0, 0.9)]
    assert kinds_of(compare([CAR], found, iou_thresholds=(0.3,))) == []
    assert kinds_of(compare([CAR], [(100, 0, 0, 40, 4, 0, 0.9)], iou_thresholds=(0.3,))) == [
        "location"
    ]
    assert kinds_of(compare([CAR], [(100, 0, 0, 40, 3, 0, 0.9)], iou_thresholds=(0.05,))) == []


def test_a_mistake_names_its_recording_time_boxes_and_the_row_of_its_label(
    compare: Callable[..., Evidence],
) -> None:
    labels = [(200, 0, 0, 40, 40, 0), CAR, (300, 8, 8, 80, 80, 2)]
    found = [(200, 0, 0, 40, 40, 0, 0.9), (100, 0, 0, 40, 40, 1, 0.7)]
    evidence = compare(labels, found, pixel_scale=0.5)
    table = find_mistakes(evidence, judge_evidence(evidence)).table(evidence)
    rows = {
        kind: {name: column[row] for name, column in table.items()}
        for row, kind in enumerate(table["kind"])
    }
    assert set(rows) == {"class", "missed"}
    wrong, missed = rows["class"], rows["missed"]
    assert (wrong["recording"], wrong["time_us"], wrong["class"], wrong["label_class"]) == (
        *("a", 100, "tram", "car"),
    )
    assert [wrong[side] for side in "xywh"] == [0, 0, 40, 40]
    assert (wrong["label_row"], wrong["score"]) == (1, pytest.approx(0.7))
    assert (missed["time_us"], missed["class"], missed["label_row"]) == (300, "bus", 2)
    assert [missed[f"label_{side}"] for side in "xywh"] == [8, 8, 80, 80]
    assert np.isnan(missed["score"])


def test_a_detection_far_from_all_objects_concerns_none(compare: Callable[..., Evidence]) -> None:
    evidence = compare([CAR], [(100, 0, 0, 40, 40, 0, 0.9), (100, 300, 0, 9, 9, 0, 0.95)])
    mistakes = find_mistakes(evidence, judge_evidence(evidence))
    assert mistakes.label_rows.tolist() == [NO_LABEL]
    assert np.isnan(mistakes.label_boxes_xywh).all()


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_what_is_no_mistake_is_right_by_the_curves_of_the_protocol(seed: int) -> None:
    evidence = random_evidence(seed, num_frames=8)
    judged = judge_evidence(evidence)
    ranked = rank_detections(evidence.compare(match_classes))
    for class_id, ranking in enumerate(ranked):
        mine = judged.detections.class_ids == class_id
        assert np.count_nonzero(judged.is_right & mine) == np.count_nonzero(ranking.is_right)
        assert set(judged.detections.scores[judged.is_right & mine]) == set(
            ranking.scores[ranking.is_right]
        )
    assert np.count_nonzero(judged.is_found) == np.count_nonzero(judged.is_right)
    assert not (judged.is_found & judged.is_missed).any()
    claims = judged.concerned[judged.is_repaired]
    assert len(claims) == len(set(claims.tolist()))
    assert len(judged.labels) == judged.is_found.sum() + judged.is_missed.sum() + len(claims)

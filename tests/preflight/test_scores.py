"""Score thresholds are compared with what metrics need before a run."""

import pytest
from tests.preflight.conftest import Find, Save, faults, warnings

HIGH = {"suppression": {"score_threshold": 0.05}}


def test_the_default_thresholds_are_low_enough(found: Find) -> None:
    assert found("__default__") == []


def test_high_thresholds_are_told_where_average_precision_is_measured(found: Find) -> None:
    findings = found("__default__", predict=HIGH)
    assert faults(findings) == []
    (told,) = warnings(findings)
    assert told.startswith("predict.suppression.score_threshold is 0.05, but average precision")
    (told,) = warnings(found("__default__", train={"validation": HIGH}))
    assert told.startswith("train.validation.suppression.score_threshold is 0.05")


@pytest.mark.usefixtures("stores", "save_checkpoint")
def test_a_high_threshold_without_metrics_is_fine(found: Find, save_checkpoint: Save) -> None:
    save_checkpoint()
    findings = found("predict", predict=HIGH, checkpoint="detector.ckpt")
    assert not [told for told in warnings(findings) if "threshold" in told]


@pytest.mark.usefixtures("count_error")
def test_metrics_at_a_score_of_their_own_need_no_low_scores(found: Find) -> None:
    counting = {"like": "coco", "name": "counting", "metrics": [{"kind": "count_error"}]}
    assert not warnings(found("__default__", predict=HIGH, evaluate={"protocols": [counting]}))


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize(("threshold", "is_told"), [(None, False), (0.001, False), (0.1, True)])
def test_stored_detections_say_how_far_down_they_reach(
    found: Find, save_detections: Save, threshold: float | None, *, is_told: bool
) -> None:
    save_detections(score_threshold=threshold)
    told = [each for each in warnings(found("evaluate")) if "stored down to 0.1" in each]
    assert bool(told) == is_told


def test_a_protocol_with_a_latency_needs_detections_in_all_windows(found: Find) -> None:
    changes = {"evaluate": {"protocols": [{"like": "coco", "name": "live", "latency_ms": 40}]}}
    (told,) = faults(found("__default__", **changes, predict={"windows": "labelled"}))
    assert told == (
        "evaluate.protocols: live with latency_ms needs detections in all windows, but "
        "predict.windows is labelled: set `predict.windows: all`"
    )
    assert faults(found("__default__", **changes, predict={"windows": "all"})) == []

"""Scores on changed recordings, of a detector whose boxes can be worked out by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tests.moving_box import (
    BY_COCO,
    ON_CPU,
    FindsEvents,
    encoding,
    frames,
    record,
)
from tests.training.runs import NANO

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.core.recording import Recording
from etram_pipeline.evaluation import compare_matches, evaluate_with_matches
from etram_pipeline.evaluation.paired import draw_seeds
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable
from etram_pipeline.models.checkpoint import Checkpoint
from etram_pipeline.robustness.sample import choose_sample
from etram_pipeline.robustness.scores import (
    RobustnessScore,
    compare_with_clean,
    robustness_numbers,
    robustness_rows,
)
from etram_pipeline.robustness.settings import RobustnessSettings
from etram_pipeline.robustness.study import RobustnessStudy


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    folder = tmp_path_factory.mktemp("robustness")
    return {f"test/{name}": record(folder / f"{name}.npy", seed) for seed, name in enumerate("ab")}


def study(recordings: dict[str, Recording], **settings: object) -> RobustnessStudy:
    trained = Checkpoint(FindsEvents(), NANO, 4, ("box",), encoding=encoding())
    return RobustnessStudy(
        trained,
        encoding(),
        recordings,
        {key: frames() for key in recordings},
        ("box",),
        settings=RobustnessSettings.model_validate(settings),
        predict=ON_CPU,
        evaluate=BY_COCO,
    )


def by_name(scores: list[RobustnessScore]) -> dict[tuple[str, str], RobustnessScore]:
    return {(score.change, score.severity_name): score for score in scores}


def test_changes_are_scored_beside_the_same_frames_without_them(
    recordings: dict[str, Recording],
) -> None:
    """Unchanged, IoU is 50 / 57, which reaches 8 of 10 thresholds; see the study of rates.

    The box is that of all events: half of them have the same one, and none without events. With
    events in all pixels it is the whole image, whose IoU is too low for every threshold.
    """
    changes = [
        {"kind": "drop", "share": 0.5},
        {"kind": "drop", "share": 1},
        {"kind": "background_activity", "rate_hz": 100},
        {"kind": "polarity_lost"},
    ]
    scores = by_name(list(study(recordings, changes=changes).measure()))
    ratios = {name: score.values["AP"].ratio.value for name, score in scores.items()}
    assert ratios == {
        ("drop", "50_percent"): pytest.approx(1),
        ("drop", "100_percent"): 0,
        ("background_activity", "100_hz"): 0,
        ("polarity_lost_rising", "100_percent"): pytest.approx(1),
    }
    assert [score.values["AP"].clean.value for score in scores.values()] == pytest.approx([0.8] * 4)
    assert {score.metrics.num_frames for score in scores.values()} == {18}
    assert scores["drop", "100_percent"].values["AP"].difference.value == pytest.approx(-0.8)


def test_rates_are_scored_at_the_frames_they_share_with_the_unchanged(
    recordings: dict[str, Recording],
) -> None:
    """In windows of 100, 50 and 20 ms the box moves 14, 7 and 2 px; frames are 50 ms apart."""
    scores = by_name(list(study(recordings, windows_per_second=[10, 20, 50]).measure()))
    step = [scores["rate_step", f"{rate}_per_second"] for rate in (10, 20, 50)]
    assert [score.values["AP"].changed.value for score in step] == pytest.approx([0.6, 0.8, 1])
    assert [score.values["AP"].clean.value for score in step] == pytest.approx([0.8] * 3)
    assert [score.values["AP"].ratio.value for score in step] == pytest.approx([0.75, 1, 1.25])
    assert [score.metrics.num_frames for score in step] == [10, 18, 10]
    trained = scores["rate_trained", "10_per_second"]
    assert trained.values["AP"].changed.value == pytest.approx(0.8)


def test_a_sample_is_as_long_as_wanted_and_the_same_for_all(
    recordings: dict[str, Recording],
) -> None:
    wanted = {"sample_s": 0.4, "excerpt_s": 0.1, "warm_up_ms": 50}
    (score,) = study(recordings, changes=[{"kind": "drop", "share": 0}], **wanted).measure()
    assert score.metrics.num_frames == 2 * 5  # 200 ms of each recording
    assert score.metrics.num_labels == 10
    assert score.values["AP"].ratio.value == 1
    assert score.values["AP"].changed.value == pytest.approx(0.8)


def test_a_protocol_with_a_latency_is_scored(recordings: dict[str, Recording]) -> None:
    live = {"like": "coco", "name": "live", "latency_ms": 10}
    evaluate = EvaluateSettings.model_validate({"protocols": [live]})
    wanted = study(recordings, windows_per_second=[100], window_lengths=["step"])
    (score,) = replace(wanted, evaluate=evaluate).measure()
    assert score.values["AP"].changed.value == pytest.approx(0.9)  # as in the study of rates


def test_rates_at_which_no_frame_is_the_end_of_a_window_are_refused(
    recordings: dict[str, Recording],
) -> None:
    wanted = replace(
        study(recordings, windows_per_second=[10]),
        encoding=encoding("regular"),
        frames={key: frames(130_000) for key in recordings},
    )
    with pytest.raises(SettingsError, match="no labelled frame is the end of a window every 50 ms"):
        list(wanted.measure())


def boxes(number: int, dtype: np.dtype[Any]) -> np.ndarray:
    table = np.zeros(number, dtype)
    table["t"], table["w"], table["h"] = np.arange(number) * 50_000, 20, 20
    return table


def test_ratio_and_difference_are_paired_over_recordings() -> None:
    """The change costs each recording half of its boxes, however many were found before."""
    labels: dict[str, LabelTable] = {f"test/{name}": boxes(40, LABEL_DTYPE) for name in "abcdef"}
    clean: dict[str, DetectionTable] = {}
    changed: dict[str, DetectionTable] = {}
    for place, key in enumerate(labels):
        found = boxes(10 + 6 * place, DETECTION_DTYPE)
        found["score"] = found["class_score"] = 0.5
        clean[key], changed[key] = found, found[::2]
    sides = [
        evaluate_with_matches(labels, tables, "coco", ("box",))[1] for tables in (clean, changed)
    ]
    draws = [draw_seeds([side], 200) for side in sides]
    found_value = compare_with_clean(draws[0], draws[1], ["AP", "absent"], 0.95)
    assert list(found_value) == ["AP"]
    ap = found_value["AP"]
    assert ap.ratio.value == pytest.approx(0.5, abs=0.03)
    assert ap.ratio.low is not None
    assert ap.ratio.high is not None
    assert ap.clean.low is not None
    assert ap.clean.high is not None
    assert ap.ratio.high - ap.ratio.low < (ap.clean.high - ap.clean.low) / 5
    paired = compare_matches([sides[0]], [sides[1]], rounds=200)["AP"]
    assert paired.difference == pytest.approx(ap.difference.value)
    assert (paired.low, paired.high) == (ap.difference.low, ap.difference.high)


def test_tables_and_metrics_have_values_and_ends(recordings: dict[str, Recording]) -> None:
    changes = [{"kind": "bursts", "share": 0.3, "length_ms": 20}]
    scores = list(study(recordings, changes=changes).measure())
    (row,) = robustness_rows(scores)
    assert row.items() >= {
        ("change", "bursts_20_ms"),
        ("severity", 30),
        ("unit", "percent"),
        ("frames", 18),
        ("labels", 18),
    }
    numbers = robustness_numbers(scores)
    assert numbers["test/coco/robustness/bursts_20_ms/30_percent/AP"] == row["AP"]
    assert numbers["test/coco/robustness/bursts_20_ms/30_percent/AP_50_ratio"] == row["AP_50_ratio"]
    assert row["AP_ratio"] == pytest.approx(float(str(row["AP"])) / float(str(row["AP_clean"])))


def moments(*seconds: float) -> dict[str, np.ndarray]:
    """Frames every 100 ms, in recordings of these lengths."""
    return {
        f"test/{place}": np.arange(round(10 * length) + 1) * 100_000 + 700_000
        for place, length in enumerate(seconds)
    }


def test_short_recordings_are_scored_whole_and_leave_time_to_others() -> None:
    sample = choose_sample(moments(10, 1, 20), most_s=9.0, least_s=2.0, seed=0)
    assert [round(np.ptp(times_us) / 1e6, 3) for times_us in sample.frames_us.values()] == [4, 1, 4]
    assert sample.description == "9 of 31 s with 93 labelled frames in 3 recordings"


def test_a_sample_that_is_long_enough_has_all_frames() -> None:
    everything = moments(3, 2)
    sample = choose_sample(everything, most_s=5.0, least_s=2.0, seed=0)
    assert all(np.array_equal(sample.frames_us[key], each) for key, each in everything.items())
    assert sample.description == "5 s with 52 labelled frames in 2 recordings"


def test_with_too_many_recordings_some_are_drawn() -> None:
    drawn = [choose_sample(moments(*[5] * 20), 9.0, 2.0, seed) for seed in range(10)]
    assert {len(sample.frames_us) for sample in drawn} == {4}
    assert all(sample.seconds <= 9 for sample in drawn)
    assert len({tuple(sample.frames_us) for sample in drawn}) > 5
    again = choose_sample(moments(*[5] * 20), 9.0, 2.0, 3)
    assert list(again.frames_us) == list(drawn[3].frames_us)
    starts = [int(times_us[0]) for sample in drawn for times_us in sample.frames_us.values()]
    assert min(starts) < 1_500_000
    assert max(starts) > 2_500_000


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"changes": [{"kind": "drop"}, {"kind": "drop", "share": 0.5}]}, "drop of 50_percent is"),
        ({"changes": [{"kind": "fog"}]}, "unknown kind 'fog'"),
        ({"windows_per_second": [30]}, r"\[30\] do not divide 1000"),
        ({"window_lengths": ["step", "step"]}, "names a value twice"),
        ({"sample_s": 0}, "greater than 0"),
        ({}, "are both empty: list at least one change or one rate"),
        ({"changes": [{"kind": "resolution", "block_px": 50_000}]}, "equal to 100"),
        ({"changes": [{"kind": "bursts", "length_ms": 1e300}]}, "equal to 100000"),
        ({"sampel_s": 5}, "did you mean 'sample_s'"),
    ],
)
def test_settings_that_cannot_be_are_refused(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        RobustnessSettings.model_validate(fields)


def test_frames_without_labels_are_refused_before_anything_is_detected(
    recordings: dict[str, Recording],
) -> None:
    labelled = frames()
    empty = replace(
        labelled, labels=labelled.labels[:0], first_label=np.zeros_like(labelled.first_label)
    )
    wanted = study(recordings, changes=[{"kind": "drop"}])
    unlabelled = replace(wanted, frames=dict.fromkeys(recordings, empty))
    with pytest.raises(SettingsError, match="there are no labels in 1 s with 18 labelled frames"):
        next(unlabelled.measure())

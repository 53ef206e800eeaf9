"""Scores by rate, of a detector whose boxes can be worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.moving_box import (
    BY_COCO,
    HEIGHT,
    ON_CPU,
    SIDE,
    SPEED,
    WIDTH,
    FindsEvents,
    encoding,
    frames,
    left_px,
    record,
)
from tests.training.runs import NANO

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.core.recording import Recording
from etram_pipeline.deployment.latencies import score_at_latencies
from etram_pipeline.deployment.rate_scores import (
    latency_numbers,
    latency_rows,
    rate_numbers,
    rate_rows,
)
from etram_pipeline.deployment.rate_settings import RateSettings
from etram_pipeline.deployment.rates import RateStudy
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.events.encode import encode
from etram_pipeline.inference.encoded import EncodedOnReading
from etram_pipeline.labels.detections import DETECTION_DTYPE
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.models.checkpoint import Checkpoint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.timing import knows_time


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    """Half a second of a box of 50 by 40 px that moves to the right, twice."""
    folder = tmp_path_factory.mktemp("rates")
    return {f"test/{name}": record(folder / f"{name}.npy", seed) for seed, name in enumerate("ab")}


def study(
    recordings: dict[str, Recording], kind: str = "label_aligned", start_us: int = 100_000
) -> RateStudy:
    trained = Checkpoint(FindsEvents(), NANO, 4, ("box",), encoding=encoding())
    labelled = {key: frames(start_us) for key in recordings}
    return RateStudy(trained, encoding(kind), recordings, labelled, ("box",))


def rates(*per_second: int, **changes: object) -> RateSettings:
    fields = {"windows_per_second": per_second, "least_frames": 10} | changes
    return RateSettings.model_validate(fields)


@pytest.mark.parametrize("kind", ["label_aligned", "regular"])
def test_what_moves_is_blurred_by_its_way_in_a_window(
    recordings: dict[str, Recording], kind: str
) -> None:
    """In 100, 50, 20 and 10 ms the box moves 14, 7, 2 and 1 px; IoU is 50 / (50 + way)."""
    scores = list(study(recordings, kind).measure(rates(10, 20, 50, 100), ON_CPU, BY_COCO))
    found = {
        (score.window_length, score.windows_per_second): score.metrics.overall["AP"]
        for score in scores
    }
    assert [found["step", rate] for rate in (10, 20, 50, 100)] == pytest.approx([0.6, 0.8, 1, 1])
    assert [found["trained", rate] for rate in (10, 20, 50, 100)] == pytest.approx([0.8] * 4)
    assert [score.window_ms for score in scores] == [100, 50, 20, 10, 50, 50, 50, 50]
    assert {score.metrics.num_frames for score in scores} == {10}  # 100, 200 … 500 ms, twice
    assert {score.metrics.num_detections for score in scores} == {10}


def test_a_latency_is_scored_at_every_rate(recordings: dict[str, Recording]) -> None:
    """A box that is 10 ms old ends up to 2 px too early and is 1 px longer: 48 of 53 px."""
    live = {"like": "coco", "name": "live", "latency_ms": 10}
    evaluate = EvaluateSettings.model_validate({"protocols": [live]})
    wanted = rates(100, window_lengths=["step"])
    (score,) = study(recordings).measure(wanted, ON_CPU, evaluate)
    assert score.metrics.protocol.name == "live"
    assert score.metrics.overall["AP"] == pytest.approx(0.9)


def test_frames_that_end_no_window_at_some_rate_are_not_enough(
    recordings: dict[str, Recording],
) -> None:
    apart = study(recordings, "regular", start_us=130_000)
    with pytest.raises(SettingsError, match="0 labelled frames are the end of a window at all of"):
        list(apart.measure(rates(10, 20), ON_CPU, BY_COCO))
    aligned = study(recordings, "label_aligned", start_us=130_000)
    assert [
        score.metrics.num_frames
        for score in aligned.measure(rates(10, 20, least_frames=8), ON_CPU, BY_COCO)
    ] == [8] * 4  # 130, 230, 330 and 430 ms


def test_irregular_frames_that_the_slowest_rate_reaches_are_scored_at_all_rates(
    recordings: dict[str, Recording],
) -> None:
    times_us = np.array([100_000, 117_000, 203_000, 204_000, 310_000, 405_000, 499_000])
    labels = np.zeros(len(times_us), LABEL_DTYPE)
    labels["t"], labels["x"], labels["y"] = times_us, left_px(times_us), 10
    labels["w"], labels["h"] = SIDE, 40
    irregular = LabelledFrames(labels, np.arange(len(times_us)), times_us, interval_us=0)
    of_moments = replace(study(recordings), frames=dict.fromkeys(recordings, irregular))
    wanted = rates(10, 20, least_frames=8, window_lengths=["step"])
    scores = list(of_moments.measure(wanted, ON_CPU, BY_COCO))
    assert [score.metrics.num_frames for score in scores] == [8, 8]  # 100, 203, 310 and 499 ms
    assert [score.metrics.overall["AP"] for score in scores] == pytest.approx([0.6, 0.8], abs=0.1)


def test_cells_that_know_time_are_adapted_to_each_rate(recordings: dict[str, Recording]) -> None:
    fields = NANO.model_dump(serialize_as_any=True) | {"cell": {"kind": "s5"}}
    config = DetectorConfig.model_validate(fields)
    detector = config.build(4, 1)
    assert knows_time(detector)
    trained = Checkpoint(detector, config, 4, ("box",), encoding=encoding())
    of_cells = replace(study(recordings), trained=trained)
    factors = [
        {cell.time_factor for cell in detector.modules() if hasattr(cell, "time_factor")}
        for _ in of_cells.measure(rates(10, 50, window_lengths=["step"]), ON_CPU, BY_COCO)
    ]
    assert factors == [{2.0}, {0.4}]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    st.sampled_from([5, 20, 50, 100]), st.sampled_from([5, 50]), st.integers(0, 90), st.integers(0)
)
def test_any_part_of_a_recording_is_encoded_as_in_the_whole(
    recordings: dict[str, Recording], step_ms: int, duration_ms: int, start: int, number: int
) -> None:
    recording = recordings["test/a"]
    chosen = encoding("regular", step_ms)
    windows = chosen.windows.model_copy(update={"duration_ms": duration_ms})
    plan = windows.plan(np.zeros(0, np.int64), 0, recording)
    whole = list(encode(recording, plan, chosen.representation.build(HEIGHT, WIDTH)))
    parts = EncodedOnReading(recording, plan, chosen)
    start %= parts.num_windows
    stop = start + number % (parts.num_windows - start + 1)
    read = parts.read(start, stop)
    assert read.shape == (stop - start, parts.channels, parts.height, parts.width)
    assert np.array_equal(read, np.array(whole[start:stop]).reshape(read.shape))


def test_tables_and_metrics_have_values_and_ends(recordings: dict[str, Recording]) -> None:
    wanted = rates(20, window_lengths=["step"])
    scores = list(study(recordings).measure(wanted, ON_CPU, BY_COCO))
    (row,) = rate_rows(scores)
    assert row.items() >= {
        ("window_length", "step"),
        ("windows_per_second", 20),
        ("window_ms", 50),
        ("frames", 18),
        ("labels", 18),
    }
    assert row["AP"] == pytest.approx(0.8)
    numbers = rate_numbers(scores)
    assert numbers["rates/step/20_per_second/AP"] == row["AP"]
    assert numbers["rates/step/20_per_second/AP_50"] == pytest.approx(1)


def test_boxes_grow_old_with_the_latency() -> None:
    """Windows of 50 ms, and boxes 7.5 px further with each: 50 px share 42.5 with the next."""
    labels = {"test/a": frames().labels}
    table = np.zeros(len(labels["test/a"]), DETECTION_DTYPE)
    for name in LABEL_DTYPE.names or ():
        table[name] = labels["test/a"][name]
    table["x"], labels["test/a"]["x"] = (SPEED * table["t"] / 1e6,) * 2
    table["score"] = 0.5
    searched = {"test/a": labels["test/a"]["t"].astype(np.int64)}
    scores = list(
        score_at_latencies(
            labels, {"test/a": table}, searched, ("box",), (0.0, 30.0, 75.0), BY_COCO
        )
    )
    rows = latency_rows(scores)
    assert [row["latency_ms"] for row in rows] == [0, 30, 75]
    assert [row["mean_age_ms"] for row in rows[:2]] == [0, 50]
    # At 75 ms, those of 200 and 350 ms are left out.
    assert [row["computed_share"] for row in rows] == pytest.approx([1, 1, 7 / 9])
    assert scores[0].metrics.overall["AP"] == pytest.approx(1)
    # IoU is 42.5 / 57.5, which reaches 5 of 10 thresholds; in the first frame, nothing is known.
    assert scores[1].metrics.overall["AR_100"] == pytest.approx(8 / 9 * 5 / 10)
    assert latency_numbers(scores)["latency/0_ms/AP"] == pytest.approx(1)
    assert list(latency_numbers(scores)) == [
        f"latency/{latency}_ms/{name}" for latency in (0, 30, 75) for name in ("AP", "AP_50")
    ]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"windows_per_second": [30]}, r"\[30\] do not divide 1000"),
        ({"windows_per_second": [20, 20]}, "names a value twice"),
        ({"windows_per_second": []}, "at least 1 item"),
        ({"window_lengths": ["half"]}, "'step' or 'trained'"),
        ({"latencies_ms": [-1]}, "greater than or equal to 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        RateSettings.model_validate(fields)

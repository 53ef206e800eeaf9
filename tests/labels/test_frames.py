"""Which moments are labelled frames."""

import logging
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etram_pipeline.core.errors import NoLabelsError
from etram_pipeline.labels.filters import FilterContext
from etram_pipeline.labels.frames import LabelledFrames, LabelTables, filter_labels, select_frames
from etram_pipeline.labels.moments import LeftOut
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable

MakeLabels = Callable[..., LabelTable]
SETTINGS = LabelSettings()


def at(*times_us: float) -> LabelTable:
    table = np.zeros(len(times_us), LABEL_DTYPE)
    table["t"] = times_us
    table["track_id"] = np.arange(len(times_us))
    return table


def every(distance_us: float, count: int, first_us: float = 0) -> LabelTable:
    return at(*(first_us + distance_us * np.arange(count)).astype(np.int64))


@pytest.mark.parametrize(
    ("distance_us", "interval_us", "third_us"),
    [
        pytest.param(33_333, 99_999, 299_997, id="30 Hz"),
        pytest.param(16_667, 100_002, 300_006, id="60 Hz"),
        pytest.param(100_000, 100_000, 300_000, id="10 Hz"),
        pytest.param(250_000, 250_000, 750_000, id="4 Hz"),
        pytest.param(500_000, 500_000, 1_500_000, id="2 Hz"),
        pytest.param(1_000_000, 1_000_000, 3_000_000, id="1 Hz"),
    ],
)
def test_frames_are_about_ten_a_second_or_as_many_as_there_are_labels(
    distance_us: int, interval_us: int, third_us: int
) -> None:
    frames = select_frames(every(distance_us, 400, first_us=distance_us), SETTINGS)

    first_us = -(-100_000 // distance_us) * distance_us
    assert frames.interval_us == interval_us
    assert frames.times_us[:3].tolist() == [first_us + k * interval_us for k in range(3)]
    if first_us == interval_us:
        assert frames.times_us[2] == third_us


def test_an_interval_of_half_microseconds_is_rounded_down() -> None:
    # The median of 33 333 and 33 334 is 33 333.5, and thrice that 100 000.5.
    frames = select_frames(at(100_000, 133_333, 166_667, 200_000, 233_334), SETTINGS)

    assert frames.interval_us == 100_000
    assert frames.times_us.tolist() == [100_000, 200_000]


def test_another_distance_of_frames_can_be_wanted() -> None:
    settings = LabelSettings(frame_interval_ms=200, first_frame_ms=0)

    frames = select_frames(every(100_000, 6), settings)

    assert frames.times_us.tolist() == [0, 200_000, 400_000]


@pytest.mark.parametrize(
    ("off_us", "is_frame"), [(-2001, False), (-2000, True), (2000, True), (2001, False)]
)
def test_a_frame_may_be_two_milliseconds_early_or_late(off_us: int, *, is_frame: bool) -> None:
    # Labels close to one another keep the median, and so the interval, at 100 ms.
    labels = at(*sorted({100_000, 200_000 + off_us, 300_000, 400_000, 500_000, 600_000}))

    frames = select_frames(labels, SETTINGS)

    assert frames.interval_us == 100_000
    assert (200_000 + off_us in frames.times_us.tolist()) == is_frame


def test_frames_follow_a_clock_that_drifts() -> None:
    # Most labels are 33 333 us apart, so the interval is 99 999 us, but every third is late.
    steps_us = [33_333, 33_333, 34_334] * 40
    labels = at(*(100_000 + np.cumsum([0, *steps_us])))

    frames = select_frames(labels, SETTINGS)

    assert frames.interval_us == 99_999
    assert frames.times_us.tolist() == [100_000 + 101_000 * k for k in range(41)]


def test_after_a_gap_frames_stay_on_the_grid() -> None:
    labels = at(*(100_000 + 33_333 * k for k in (0, 1, 2, 3, 17, 18, 19, 20, 21)))

    frames = select_frames(labels, SETTINGS)

    assert frames.times_us.tolist() == [100_000 + 33_333 * k for k in (0, 3, 18, 21)]


def test_a_second_label_within_the_tolerance_of_a_frame_is_left_out_and_counted() -> None:
    frames = select_frames(at(100_000, 101_000, 200_000, 300_000, 400_000, 500_000), SETTINGS)

    assert frames.times_us.tolist() == [100_000, 200_000, 300_000, 400_000, 500_000]
    assert frames.left_out == LeftOut(too_close=1)


def test_labels_of_another_time_than_the_recording_are_told() -> None:
    spaced = LabelSettings(frames="spaced", frame_interval_ms=None)
    message = "labels range from 300000 to 400000 us, and events from 6437104 to 9000000 us"
    with pytest.raises(NoLabelsError, match=message):
        select_frames(at(300_000, 400_000), spaced, span_us=(6_437_104, 9_000_000))


def test_a_single_labelled_moment_is_one_frame(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        frames = select_frames(at(300_000, 300_000, 300_000), SETTINGS, "a_bbox.npy")

    assert frames.times_us.tolist() == [300_000]
    assert frames.first_label.tolist() == [0]
    assert len(frames[0]) == 3
    assert frames.interval_us == 100_000
    assert "a_bbox.npy: only one time is labelled" in caplog.text


def test_a_recording_whose_labels_all_come_too_early_has_no_frames() -> None:
    with pytest.raises(NoLabelsError, match=r"all labels are before 100 ms.*at 66\.7 ms"):
        select_frames(at(33_333, 66_667), SETTINGS)


def test_a_recording_without_boxes_has_no_frames() -> None:
    with pytest.raises(NoLabelsError, match="no box is left after the filters"):
        select_frames(at(), SETTINGS)


def test_boxes_are_grouped_by_frame() -> None:
    labels = at(50_000, 100_000, 100_000, 150_000, 200_000, 300_000, 300_000, 300_000, 350_000)

    frames = select_frames(labels, LabelSettings(frame_interval_ms=100))

    assert [frames[frame]["track_id"].tolist() for frame in range(len(frames))] == [
        [1, 2],
        [4],
        [5, 6, 7],
    ]


def test_times_may_be_unsigned() -> None:
    labels = np.zeros(3, [("t", "<u8"), ("class_id", "u1")])
    labels["t"] = 100_000, 200_000, 300_000

    frames = select_frames(labels, SETTINGS)

    assert frames.times_us.tolist() == [100_000, 200_000, 300_000]
    assert frames.labels.dtype["t"] == np.uint64


def test_stored_columns_have_no_padding() -> None:
    assert LABEL_DTYPE.itemsize == 40
    assert select_frames(at(100_000), SETTINGS).labels.dtype.itemsize == 36


def slow_frame_times(times_us: list[int], interval_us: int) -> list[int]:
    frames: list[int] = []
    for time_us in times_us:
        if time_us < 100_000:
            continue
        if not frames:
            frames.append(time_us)
            continue
        nearest = round((time_us - frames[-1]) / interval_us)
        distance = time_us - frames[-1] - nearest * interval_us
        if nearest > 0 and -2000 <= distance <= 2000:
            frames.append(time_us)
    return frames


@given(st.lists(st.integers(0, 3_000_000), min_size=2, max_size=60))
def test_frames_hold_exactly_the_boxes_of_their_times(times_us: list[int]) -> None:
    labels = at(*sorted(times_us))
    try:
        frames = select_frames(labels, SETTINGS)
    except NoLabelsError:
        assert max(times_us) < 100_000
        return

    wanted_us = slow_frame_times(sorted(set(times_us)), frames.interval_us)
    assert frames.times_us.tolist() == wanted_us
    for frame, time_us in enumerate(wanted_us):
        at_time = labels["track_id"][labels["t"] == time_us]
        assert frames[frame]["track_id"].tolist() == at_time.tolist()


def test_filters_are_applied_in_their_order(
    make_labels: MakeLabels, context: FilterContext
) -> None:
    # Cut first, the box is 4 px wide and too small; judged first, its 40 px are enough.
    labels = make_labels(x=1275, w=40)
    crop = {"kind": "crop_to_sensor"}
    minimum = {"kind": "minimum_size", "side_px": 5}

    cut_first = LabelSettings.model_validate({"filters": [crop, minimum]})
    judged_first = LabelSettings.model_validate({"filters": [minimum, crop]})

    assert len(filter_labels(labels, cut_first, context)) == 0
    assert filter_labels(labels, judged_first, context)["w"].tolist() == [4]


def test_labelled_frames_are_indexed_from_the_front() -> None:
    frames: LabelledFrames = select_frames(at(100_000, 200_000), SETTINGS)

    assert len(frames) == 2
    assert frames[1]["t"].tolist() == [200_000]


@pytest.mark.parametrize(
    ("name", "value"), [("x", np.nan), ("y", -np.inf), ("w", np.inf), ("h", -1)]
)
def test_what_is_no_box_is_left_out_whatever_the_filters(
    name: str,
    value: float,
    make_labels: MakeLabels,
    context: FilterContext,
    caplog: pytest.LogCaptureFixture,
) -> None:
    labels = make_labels(t=[1, 2, 3])
    labels[name][1] = value

    found = filter_labels(labels, LabelSettings(), context, "a_bbox.npy")

    assert found["t"].tolist() == [1, 3]
    assert "a_bbox.npy: 1 of 3 boxes have a position or size that is not finite" in caplog.text


def test_moments_known_to_show_nothing_are_frames_without_boxes() -> None:
    spaced = LabelSettings(frames="spaced", frame_interval_ms=None)
    known_us = np.array([50_000, 150_000, 200_000, 400_000])

    frames = select_frames(at(200_000, 200_000, 300_000), spaced, known_us=known_us)

    assert frames.times_us.tolist() == [150_000, 200_000, 300_000, 400_000]
    assert frames.first_label.tolist() == [0, 0, 2, 3]
    assert frames.num_boxes.tolist() == [0, 2, 1, 0]
    assert frames.empty_us.tolist() == [150_000, 400_000]
    assert [len(frames[number]) for number in range(4)] == [0, 2, 1, 0]
    assert frames.left_out == LeftOut(early=1)


def test_frames_at_some_times_keep_their_boxes() -> None:
    spaced = LabelSettings(frames="spaced", frame_interval_ms=None)
    frames = select_frames(
        at(200_000, 200_000, 300_000, 500_000), spaced, known_us=np.array([150_000, 400_000])
    )

    some = frames.at(np.array([150_000, 300_000, 500_000, 600_000]))

    assert some.times_us.tolist() == [150_000, 300_000, 500_000]
    assert [each["track_id"].tolist() for each in (some[0], some[1], some[2])] == [[], [2], [3]]


def test_tables_know_the_moments_without_objects() -> None:
    spaced = LabelSettings(frames="spaced", frame_interval_ms=None)
    frames = select_frames(at(200_000), spaced, known_us=np.array([300_000]))

    tables = LabelTables({"test/a": frames})

    assert tables["test/a"]["t"].tolist() == [200_000]
    assert tables.empty_us["test/a"].tolist() == [300_000]

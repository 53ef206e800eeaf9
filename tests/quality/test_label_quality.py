"""What is counted in label files."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable
from etram_pipeline.quality.label_quality import LabelQuality, RecordingExtent, measure_labels

MakeLabels = Callable[..., LabelTable]

GAP_US = 50_000
RECORDING = RecordingExtent(height=720, width=1280, span_us=(100_000, 900_000), gap_us=GAP_US)


def check(
    labels: LabelTable,
    last_event_us: npt.ArrayLike | None = None,
    recording: RecordingExtent = RECORDING,
) -> LabelQuality:
    """Check labels of a recording whose events leave no gap unless others are given."""
    moments_us = np.unique(labels["t"].astype(np.int64))
    if last_event_us is None:
        last_event_us = np.where(moments_us < 100_000, -1, moments_us.clip(max=900_000))
    return measure_labels(labels, np.array(last_event_us, np.int64), recording)


def test_moments_tracks_and_rate_are_told(make_labels: MakeLabels) -> None:
    times_us = np.repeat([100_000, 133_333, 166_666, 400_000], 2)
    found = check(make_labels(t=times_us, track_id=[1, 2] * 4, x=[0, 300] * 4))
    assert (found.num_boxes, found.num_moments, found.num_tracks) == (8, 4, 2)
    assert found.rate_hz == pytest.approx(30, abs=0.01)
    assert found.longest_gap_us == 233_334


def test_a_file_without_boxes_has_nothing_to_tell() -> None:
    assert check(np.zeros(0, LABEL_DTYPE)) == LabelQuality()


def test_boxes_well_before_the_first_event_and_well_after_the_last_are_outside(
    make_labels: MakeLabels,
) -> None:
    times_us = [0, 49_999, 50_000, 99_999, 900_000, 950_000, 950_001, 10**12]
    found = check(make_labels(t=times_us, track_id=range(8)))
    assert (found.num_outside_time, found.num_empty) == (4, 0)


def test_boxes_with_no_event_leading_up_to_them_are_empty(make_labels: MakeLabels) -> None:
    times_us = [200_000, 300_000, 300_000, 350_001]
    labels = make_labels(t=times_us, track_id=range(4))
    found = check(labels, last_event_us=[200_000, 249_999, 300_001])
    assert (found.num_empty, found.num_outside_time) == (2, 0)


def test_no_time_is_wrong_where_there_are_no_events(make_labels: MakeLabels) -> None:
    recording = RECORDING.model_copy(update={"span_us": None})
    found = check(make_labels(t=[0, 10**9], track_id=[1, 2]), [-1, -1], recording)
    assert (found.num_outside_time, found.num_empty) == (0, 0)


@pytest.mark.parametrize(
    ("column", "value"),
    [("w", 0), ("h", -3), ("x", np.nan), ("y", np.inf), ("w", np.nan)],
)
def test_boxes_without_a_size_are_counted_and_nowhere_else(
    column: str, value: float, make_labels: MakeLabels
) -> None:
    found = check(make_labels(t=200_000, **{column: value}))
    assert (found.num_without_size, found.num_off_sensor, found.num_over_border) == (1, 0, 0)


@pytest.mark.parametrize(
    ("x", "y", "off", "over"),
    [
        pytest.param(0, 0, 0, 0, id="in the corner"),
        pytest.param(1251, 681, 0, 0, id="a pixel over the border"),
        pytest.param(1255, 0, 0, 1, id="over the right border"),
        pytest.param(0, -10, 0, 1, id="over the upper border"),
        pytest.param(1280, 0, 1, 0, id="just off the sensor"),
        pytest.param(-30, 0, 1, 0, id="ends where the sensor begins"),
    ],
)
def test_boxes_off_the_sensor_and_over_its_border_are_told_apart(
    x: float, y: float, off: int, over: int, make_labels: MakeLabels
) -> None:
    found = check(make_labels(t=200_000, x=x, y=y))
    assert (found.num_off_sensor, found.num_over_border) == (off, over)


def test_a_second_box_of_a_track_at_one_time_is_a_duplicate(make_labels: MakeLabels) -> None:
    labels = make_labels(
        t=[200_000, 200_000, 200_000, 300_000, 300_000],
        track_id=[1, 2, 1, 1, 1],
        x=[100, 100, 110, 0, 500],
    )
    found = check(labels)
    assert (found.num_duplicate, found.num_overlapping) == (2, 1)


def test_boxes_of_a_file_without_tracks_are_duplicates_only_if_equal(
    make_labels: MakeLabels,
) -> None:
    found = check(make_labels(t=[200_000] * 4, x=[100, 110, 100, 400]))
    assert (found.num_tracks, found.num_duplicate, found.num_overlapping) == (0, 1, 1)


def test_boxes_are_counted_by_class_id_known_or_not(make_labels: MakeLabels) -> None:
    found = check(make_labels(t=200_000, track_id=range(4), class_id=[7, 1, 7, 40_000]))
    assert found.boxes_of_class == {1: 1, 7: 2, 40_000: 1}


def test_garbage_in_class_ids_does_not_make_the_report_long(make_labels: MakeLabels) -> None:
    class_ids = [*range(1000), 3, 3]
    found = check(make_labels(t=200_000, track_id=range(1002), class_id=class_ids))
    assert len(found.boxes_of_class) == 32
    assert found.boxes_of_class[3] == 3


def test_unsigned_times_and_small_integers_are_read_as_they_are(make_labels: MakeLabels) -> None:
    table = make_labels(t=[0, 200_000], track_id=[0, 1])
    narrow = table.astype([("t", "<u8"), *[(n, "<f4") for n in "xywh"], ("class_id", "u1"),
                           ("track_id", "<u2"), ("class_confidence", "<f4")])  # fmt: skip
    assert check(narrow) == check(table)

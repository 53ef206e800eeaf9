"""Rows about preprocessed recordings."""

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.moments import LeftOut
from etram_pipeline.reports.frames import frame_rows, log_left_out, warn_of_missed_frames
from etram_pipeline.stores.representation_store import StoredRepresentations

CAR = (0.0, 0.0, 10.0, 10.0, 0)
TRAM = (0.0, 0.0, 10.0, 10.0, 1)


def test_row_counts_windows_frames_and_boxes_of_each_class(
    make_frames: Callable[..., StoredRepresentations], make_labels: Callable[..., LabelledFrames]
) -> None:
    labels = make_labels([50_000, 150_000], (50_000, *CAR), (50_000, *TRAM), (150_000, *TRAM))
    (row,) = frame_rows(
        {"test/a": make_frames("test/a", labelled_us=[50_000, 150_000])},
        {"test/a": labels},
        ("car", "tram", "bus"),
    )
    assert (row["split"], row["recording"]) == ("test", "a")
    assert (row["windows"], row["boxes"]) == (4, 3)
    assert (row["labelled_frames"], row["with_window"]) == (2, 2)
    assert (row["car"], row["tram"], row["bus"]) == (1, 2, 0)


def test_recording_without_labels_has_a_row_of_zeros(
    make_frames: Callable[..., StoredRepresentations],
) -> None:
    (row,) = frame_rows({"test/a": make_frames("test/a")}, {}, ("car",))
    assert (row["labelled_frames"], row["boxes"], row["car"]) == (0, 0, 0)


def test_labelled_frames_between_windows_are_told_in_one_line(
    make_frames: Callable[..., StoredRepresentations],
    make_labels: Callable[..., LabelledFrames],
    caplog: pytest.LogCaptureFixture,
) -> None:
    labels = make_labels([50_000, 120_000], (50_000, *CAR), (120_000, *CAR))
    frames = {f"test/{i}": make_frames(f"test/{i}", labelled_us=[50_000]) for i in range(7)}
    with caplog.at_level(logging.WARNING):
        warn_of_missed_frames(frames, dict.fromkeys(frames, labels))
    (record,) = caplog.records
    assert "of 7 recordings" in record.message
    assert "test/0: 1 of 2" in record.message
    assert "windows.kind label_aligned" in record.message


def test_frames_that_all_have_a_window_are_not_told(
    make_frames: Callable[..., StoredRepresentations],
    make_labels: Callable[..., LabelledFrames],
    caplog: pytest.LogCaptureFixture,
) -> None:
    frames = {"test/a": make_frames("test/a", labelled_us=[50_000])}
    warn_of_missed_frames(frames, {"test/a": make_labels([50_000], (50_000, *CAR))})
    assert not caplog.records


def test_moments_that_are_no_frame_are_counted_by_reason(
    make_frames: Callable[..., StoredRepresentations], make_labels: Callable[..., LabelledFrames]
) -> None:
    labels = replace(make_labels([50_000], (50_000, *CAR)), left_out=LeftOut(early=2, off_grid=7))
    (row,) = frame_rows({"test/a": make_frames("test/a")}, {"test/a": labels}, ("car",))
    found = {name: count for name, count in row.items() if name.startswith("left_out")}
    assert found == {
        "left_out_filtered": 0,
        "left_out_early": 2,
        "left_out_outside": 0,
        "left_out_too_close": 0,
        "left_out_off_grid": 7,
    }


@pytest.mark.parametrize(
    ("left_out", "level", "message"),
    [
        (LeftOut(early=2), logging.INFO, "4 of 6 labelled moments are no labelled frame: 4 before"),
        (LeftOut(outside=1), logging.WARNING, "2 outside the recording (test/a; test/b)"),
        (LeftOut(off_grid=1), logging.WARNING, "with labels.frames=spaced, they need not lie on"),
    ],
)
def test_all_that_is_left_out_is_told_in_one_line(
    make_labels: Callable[..., LabelledFrames],
    caplog: pytest.LogCaptureFixture,
    left_out: LeftOut,
    level: int,
    message: str,
) -> None:
    labels = replace(make_labels([50_000], (50_000, *CAR)), left_out=left_out)
    whole = make_labels([50_000], (50_000, *CAR))
    with caplog.at_level(logging.INFO):
        log_left_out({"test/a": labels, "test/b": labels})
        log_left_out({"test/a": whole})
    (record,) = caplog.records
    assert record.levelno == level
    assert message in record.message

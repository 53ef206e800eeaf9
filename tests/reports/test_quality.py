"""Rows about preprocessed recordings."""

from collections.abc import Callable

from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.reports.quality import quality_rows
from etram_pipeline.sequences.store import StoredFrames

CAR = (0.0, 0.0, 10.0, 10.0, 0)
TRAM = (0.0, 0.0, 10.0, 10.0, 1)


def test_row_counts_windows_frames_and_boxes_of_each_class(
    make_frames: Callable[..., StoredFrames], make_labels: Callable[..., LabelledFrames]
) -> None:
    labels = make_labels([50_000, 150_000], (50_000, *CAR), (50_000, *TRAM), (150_000, *TRAM))
    (row,) = quality_rows(
        {"test/a": make_frames("test/a", labelled_us=[50_000, 150_000])},
        {"test/a": labels},
        ("car", "tram", "bus"),
    )
    assert (row["split"], row["recording"]) == ("test", "a")
    assert (row["windows"], row["labelled_frames"], row["boxes"]) == (4, 2, 3)
    assert (row["car"], row["tram"], row["bus"]) == (1, 2, 0)


def test_recording_without_labels_has_a_row_of_zeros(
    make_frames: Callable[..., StoredFrames],
) -> None:
    (row,) = quality_rows({"test/a": make_frames("test/a")}, {}, ("car",))
    assert (row["labelled_frames"], row["boxes"], row["car"]) == (0, 0, 0)

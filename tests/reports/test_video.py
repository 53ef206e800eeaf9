"""What is on the pictures of an annotated recording."""

from collections.abc import Callable, Iterator
from pathlib import Path

import av

from etram_pipeline.drawing import palette
from etram_pipeline.drawing.render import RgbImage
from etram_pipeline.drawing.video import write_video
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.reports.settings import ReportSettings
from etram_pipeline.reports.video import annotate_recording
from etram_pipeline.stores.representation_store import StoredRepresentations

SETTINGS = ReportSettings(scale=8)
CAR = (4.0, 4.0, 20.0, 20.0, 0)


def _num_pixels(images: Iterator[RgbImage], colour: str) -> list[int]:
    strip = slice(60, 160)  # of the picture proper, between headline and legend
    return [int((image[strip] == palette.rgb(colour)).all(axis=2).sum()) for image in images]


def _are_drawn(images: Iterator[RgbImage], colour: str) -> list[bool]:
    return [number > 30 for number in _num_pixels(images, colour)]


def test_detections_below_the_threshold_are_not_drawn(
    make_frames: Callable[..., StoredRepresentations],
    make_detections: Callable[..., DetectionTable],
) -> None:
    table = make_detections((50_000, *CAR, 0.29), (100_000, *CAR, 0.31))
    images = annotate_recording(make_frames(), table, None, ["car"], SETTINGS)
    assert _are_drawn(images, palette.class_colour(0)) == [False, True, False, False]


def test_every_window_shows_its_own_detections_when_all_were_detected_in(
    make_frames: Callable[..., StoredRepresentations],
    make_detections: Callable[..., DetectionTable],
) -> None:
    frames = make_frames(labelled_us=[50_000, 150_000])
    table = make_detections((50_000, *CAR, 0.9), (200_000, *CAR, 0.9))
    images = annotate_recording(frames, table, None, ["car"], SETTINGS)
    assert _are_drawn(images, palette.class_colour(0)) == [True, False, False, True]


def test_detections_at_labelled_frames_stay_until_the_next_frame_is_due(
    make_frames: Callable[..., StoredRepresentations],
    make_detections: Callable[..., DetectionTable],
) -> None:
    frames = make_frames(num_windows=6, labelled_us=[50_000, 150_000])
    table = make_detections((150_000, *CAR, 0.9))
    images = annotate_recording(frames, table, None, ["car"], SETTINGS)
    drawn = [False, False, True, True, False, False]
    assert _are_drawn(images, palette.class_colour(0)) == drawn


def test_ground_truth_is_outlined_until_the_next_labelled_frame_is_due(
    make_frames: Callable[..., StoredRepresentations],
    make_detections: Callable[..., DetectionTable],
    make_labels: Callable[..., LabelledFrames],
) -> None:
    frames = make_frames(num_windows=5, labelled_us=[100_000])
    labels = make_labels([100_000], (100_000, *CAR))
    images = annotate_recording(frames, make_detections(), labels, ["car"], SETTINGS)
    assert _are_drawn(images, palette.LABEL) == [False, True, True, False, False]


def test_part_with_most_labels_is_shown_of_a_recording_that_is_too_long(
    make_frames: Callable[..., StoredRepresentations],
    make_detections: Callable[..., DetectionTable],
    make_labels: Callable[..., LabelledFrames],
) -> None:
    frames = make_frames(num_windows=10, labelled_us=[50_000, 400_000])
    labels = make_labels([50_000, 400_000], (50_000, *CAR), *[(400_000, *CAR)] * 3)
    settings = ReportSettings(scale=8, video_max_seconds=0.2, frames_per_second=20)
    images = list(annotate_recording(frames, make_detections(), labels, ["car"], settings))
    assert len(images) == 4
    assert any(_are_drawn(iter(images), palette.LABEL))


def test_whole_recording_is_shown_without_a_limit(
    make_frames: Callable[..., StoredRepresentations],
    make_detections: Callable[..., DetectionTable],
) -> None:
    settings = ReportSettings(scale=1, video_max_seconds=None)
    frames = make_frames(num_windows=40)
    images = annotate_recording(frames, make_detections(), None, ["car"], settings)
    assert len(list(images)) == 40


def test_labels_between_regular_windows_are_shown_from_the_next_window_on(
    make_frames: Callable[..., StoredRepresentations],
    make_detections: Callable[..., DetectionTable],
    make_labels: Callable[..., LabelledFrames],
) -> None:
    labels = make_labels([99_000], (99_000, *CAR))
    images = annotate_recording(make_frames(), make_detections(), labels, ["car"], SETTINGS)
    assert _are_drawn(images, palette.LABEL) == [False, True, True, False]


def test_part_with_most_detections_is_shown_without_labels(
    make_frames: Callable[..., StoredRepresentations],
    make_detections: Callable[..., DetectionTable],
) -> None:
    table = make_detections((500_000, *CAR, 0.9))
    settings = ReportSettings(scale=8, video_max_seconds=0.05, frames_per_second=20)
    images = annotate_recording(make_frames(num_windows=10), table, None, ["car"], settings)
    assert _are_drawn(images, palette.class_colour(0)) == [True]


def test_brightness_is_that_of_the_recording_not_of_the_window(
    make_frames: Callable[..., StoredRepresentations],
    make_detections: Callable[..., DetectionTable],
) -> None:
    images = annotate_recording(make_frames(), make_detections(), None, ["car"], SETTINGS)
    pixels = [int((image[:120] == palette.rgb(palette.ON)).all(axis=2).sum()) for image in images]
    assert pixels == [8 * 8 * count for count in (1, 2, 3, 4)]


def test_annotated_recording_makes_a_video(
    tmp_path: Path,
    make_frames: Callable[..., StoredRepresentations],
    make_detections: Callable[..., DetectionTable],
) -> None:
    table = make_detections((50_000, *CAR, 0.9))
    images = annotate_recording(make_frames(), table, None, ["car"], SETTINGS)
    write_video(tmp_path / "out.mp4", images, 20)
    with av.open(tmp_path / "out.mp4") as container:
        assert len(list(container.decode(video=0))) == 4

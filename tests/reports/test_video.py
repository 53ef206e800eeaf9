"""Videos: what is written, and what is on their pictures."""

import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.reports import palette
from etram_pipeline.reports.render import RgbImage
from etram_pipeline.reports.settings import ReportSettings
from etram_pipeline.reports.video import annotate_recording, read_picture, write_video
from etram_pipeline.stores.representation_store import StoredRepresentations

SETTINGS = ReportSettings(scale=8)
CAR = (4.0, 4.0, 20.0, 20.0, 0)


def _grey(num: int, height: int = 48, width: int = 64) -> Iterator[RgbImage]:
    return (np.full((height, width, 3), 20 + 10 * i, np.uint8) for i in range(num))


def _decode(path: Path) -> list[av.VideoFrame]:
    with av.open(path) as container:
        return list(container.decode(video=0))


def test_video_holds_every_picture_at_its_size_and_speed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.mp4"
    write_video(path, _grey(7), 12.5)
    with av.open(path) as container:
        stream = container.streams.video[0]
        assert (stream.frames, stream.width, stream.height) == (7, 64, 48)
        assert stream.average_rate == pytest.approx(12.5)
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
    levels = [frame.to_ndarray(format="rgb24").mean() for frame in _decode(path)]
    assert levels == pytest.approx([20 + 10 * i for i in range(7)], abs=3)


def test_video_starts_before_it_is_loaded_whole(tmp_path: Path) -> None:
    write_video(tmp_path / "out.mp4", _grey(3), 20)
    content = (tmp_path / "out.mp4").read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat")


def test_odd_sizes_get_one_more_row_and_column(tmp_path: Path) -> None:
    write_video(tmp_path / "out.mp4", _grey(2, height=47, width=63), 20)
    assert [(frame.height, frame.width) for frame in _decode(tmp_path / "out.mp4")] == [
        (48, 64)
    ] * 2


def test_interrupted_writing_leaves_what_was_there(tmp_path: Path) -> None:
    def interrupted() -> Iterator[RgbImage]:
        yield from _grey(2)
        raise KeyboardInterrupt

    path = tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt):
        write_video(path, interrupted(), 20)
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt):
        write_video(path, interrupted(), 20)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_memory_holds_few_pictures_at_a_time(tmp_path: Path) -> None:
    pictures: list[weakref.ref[np.ndarray]] = []
    num_alive: list[int] = []

    def counted() -> Iterator[RgbImage]:
        for image in _grey(9):
            pictures.append(weakref.ref(image))
            num_alive.append(sum(picture() is not None for picture in pictures))
            yield image

    write_video(tmp_path / "out.mp4", counted(), 20)
    assert max(num_alive) <= 4


@pytest.mark.parametrize(
    ("images", "rate", "message"),
    [
        (iter(()), 20, "no picture to write"),
        (_grey(1), 0, "frames_per_second must be positive, found 0"),
        (iter([*_grey(1), *_grey(1, height=50)]), 20, "picture 1 of .* has shape .50, 64, 3."),
    ],
)
def test_what_is_no_video_is_refused(
    tmp_path: Path, images: Iterator[RgbImage], rate: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_video(tmp_path / "out.mp4", images, rate)
    assert list(tmp_path.iterdir()) == []


def test_one_picture_can_be_read_back(tmp_path: Path) -> None:
    write_video(tmp_path / "out.mp4", _grey(6), 20)
    assert read_picture(tmp_path / "out.mp4", share=1.0).mean() == pytest.approx(70, abs=3)


def test_file_without_pictures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    write_video(path, _grey(2), 20)
    with pytest.raises(ValueError, match="holds no picture"):
        read_picture(path, share=9.0)


def test_video_without_an_h264_encoder_is_written_and_said_to_be_second_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    write_video(tmp_path / "out.mp4", _grey(3), 20)
    assert "browsers may not play" in caplog.text
    assert len(_decode(tmp_path / "out.mp4")) == 3


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
    assert len(_decode(tmp_path / "out.mp4")) == 4

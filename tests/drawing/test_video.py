"""MP4 files: what is written, and what is left when writing fails."""

import weakref
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from etram_pipeline.drawing.render import RgbImage
from etram_pipeline.drawing.video import read_picture, write_video


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

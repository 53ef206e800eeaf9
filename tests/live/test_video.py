"""Videos of streams."""

import threading
from pathlib import Path

import av
import numpy as np
import pytest
from tests.live.shown import BOX, STAGE, window

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.drawing import palette, video
from etram_pipeline.live.video import VideoFile


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def near(picture: np.ndarray, colour: str) -> int:
    """Pixels of about that colour, which the encoder changes a little."""
    return int((np.abs(picture.astype(int) - palette.rgb(colour)).max(axis=-1) < 40).sum())


def test_every_window_is_a_picture_with_its_boxes(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    file = VideoFile(path, STAGE, waits=True)
    for number in range(1, 31):
        file.show(window(number, *([BOX] if number > 15 else [])))
    assert not path.exists()
    file.close()
    pictures = decoded(path)
    assert len(pictures) == 30
    assert pictures[0].shape[1] == 960
    tram = palette.class_colour(1)
    assert near(pictures[29], tram) > near(pictures[0], tram) + 500
    assert file.num_missed == 0
    with av.open(path) as container:
        assert container.streams.video[0].average_rate == 20


def test_where_windows_are_missing_the_picture_before_them_stays(tmp_path: Path) -> None:
    file = VideoFile(tmp_path / "out.mp4", STAGE, waits=True)
    for number in (1, 2, 6, 7):
        file.show(window(number))
    file.close()
    assert len(decoded(tmp_path / "out.mp4")) == 7


@pytest.mark.parametrize("numbers", [(200, 201, 1, 2), (1, 2, 5000, 5001)])
def test_a_clock_that_begins_anew_leaves_no_gap(tmp_path: Path, numbers: tuple[int, ...]) -> None:
    file = VideoFile(tmp_path / "out.mp4", STAGE, waits=True)
    for number in numbers:
        file.show(window(number, BOX, tracked=True))
    file.close()
    assert len(decoded(tmp_path / "out.mp4")) == 4


def test_tracks_have_their_trails(tmp_path: Path) -> None:
    plain, tracked = (tmp_path / name for name in ("plain.mp4", "tracked.mp4"))
    for path, is_tracked in ((plain, False), (tracked, True)):
        file = VideoFile(path, STAGE, waits=True)
        for number in range(1, 21):
            moved = BOX.model_copy(update={"x": 2.0 * number, "w": 4})
            file.show(window(number, moved, tracked=is_tracked))
        file.close()
    last = [decoded(path)[-1][200:600, :400].astype(int) for path in (plain, tracked)]
    assert (np.abs(last[1] - last[0]).max(axis=-1) > 30).sum() > 300  # where the tram was


def test_what_there_is_no_time_for_is_missed_or_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = threading.Event()
    write_video = video.write_video

    def slow(*arguments: object) -> None:
        may_go_on.wait()
        write_video(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(video, "write_video", slow)
    file = VideoFile(tmp_path / "out.mp4", STAGE, waits=False)
    for number in range(1, 101):
        file.show(window(number))
    may_go_on.set()
    file.close()
    assert 88 <= file.num_missed <= 92
    assert 100 - file.num_missed <= len(decoded(tmp_path / "out.mp4")) < 100


def test_without_windows_there_is_no_video(tmp_path: Path) -> None:
    VideoFile(tmp_path / "out.mp4", STAGE, waits=True).close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    file = VideoFile(tmp_path / "file" / "out.mp4", STAGE, waits=True)
    file.show(window(1))
    with pytest.raises(OSError, match="file"):
        file.close()


def test_what_is_missing_for_a_video_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "etram_pipeline.drawing.video", None)
    with pytest.raises(SettingsError, match=r"--video needs .*pip install"):
        VideoFile(tmp_path / "out.mp4", STAGE, waits=True)

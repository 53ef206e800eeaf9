"""The costliest mistakes as clips."""

import io
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from etram_pipeline.drawing import palette
from etram_pipeline.drawing.render import RgbImage
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.reports.mistake_clips import HEIGHT, NUM_FRAMES, WIDTH, Moment, draw_strip
from etram_pipeline.reports.mistakes import choose_mistakes, encode_strips, mistake_clips
from etram_pipeline.reports.settings import ReportSettings
from etram_pipeline.stores.representation_store import StoredRepresentations

KEY = "test/test_day_0001"
MISTAKE, LABEL = (palette.rgb(colour) for colour in (palette.MISTAKE, palette.LABEL))
CAR = palette.rgb(palette.class_colour(0))
Frames = Callable[..., StoredRepresentations]
Detections = Callable[..., DetectionTable]
Labels = Callable[..., LabelledFrames]


def row(kind: str = "background", time_s: float = 0.2, **changes: object) -> dict[str, object]:
    """A row of the table of mistakes, as it is read from its file."""
    nothing = {f"label_{side}": float("nan") for side in "xywh"}
    found = {"recording": KEY, "time_us": round(time_s * 1e6), "kind": kind, "class": "car"}
    box = {"x": 20.0, "y": 10.0, "w": 16.0, "h": 8.0}
    return (
        found
        | {"label_class": float("nan"), "score": 0.9}
        | box
        | nothing
        | {"cost": 0.01}
        | changes
    )


def pictures(strip: RgbImage) -> list[RgbImage]:
    """The pictures of a strip."""
    assert strip.shape == (HEIGHT, WIDTH * NUM_FRAMES, 3)
    return np.split(strip, NUM_FRAMES, axis=1)


def has(picture: RgbImage, colour: tuple[int, int, int]) -> bool:
    """Whether any pixel has a colour."""
    return bool((picture == colour).all(axis=2).any())


@pytest.fixture
def moment() -> Moment:
    """A car detected at 0.2 s."""
    box = (20.0, 10.0, 16.0, 8.0)
    return Moment(KEY, 200_000, box, None, palette.class_colour(0), is_detected=True)


def test_a_strip_shows_three_windows_before_and_after(
    moment: Moment, make_frames: Frames, make_detections: Detections
) -> None:
    strip = draw_strip(moment, make_frames(num_windows=9), None, make_detections())
    assert strip is not None
    # The window at the moment is the fourth, and window w has w + 1 events in its first row. The
    # picture shows 72 columns, of which the 32 of the representation are in the middle.
    row_of_events = [picture[4 * 17 + 1, 4 * 20 : 4 * 52 : 4] for picture in pictures(strip)]
    lit = [
        int((found != palette.rgb(palette.NO_EVENTS)).any(axis=1).sum()) for found in row_of_events
    ]
    assert lit == [1, 2, 3, 4, 5, 6, 7]


def test_the_wrong_box_is_marked_at_its_moment_only(
    moment: Moment, make_frames: Frames, make_detections: Detections
) -> None:
    found = make_detections(*[(50_000 * window, 20, 10, 16, 8, 0, 0.9) for window in range(1, 9)])
    strip = draw_strip(moment, make_frames(num_windows=9), None, found)
    assert strip is not None
    assert [has(picture, MISTAKE) for picture in pictures(strip)] == [False] * 3 + [True] + [
        False
    ] * 3
    middle = pictures(strip)[3]
    # In px of the representation the box is 10 to 18 and 5 to 9; the picture begins at -20, -17.
    assert tuple(middle[4 * (5 + 17), 4 * 33]) == CAR
    assert tuple(middle[4 * (5 + 17) - 4, 4 * 33]) == MISTAKE


def test_labels_are_dashed_where_they_are_known(
    moment: Moment, make_frames: Frames, make_detections: Detections, make_labels: Labels
) -> None:
    labels = make_labels([200_000], (200_000, 20, 10, 16, 8, 0))
    strip = draw_strip(moment, make_frames(num_windows=9), labels, make_detections())
    assert strip is not None
    shown = [has(picture, LABEL) for picture in pictures(strip)]
    assert shown[:3] == [False] * 3
    assert shown[4:] == [True, False, False]  # labels stay until the next ones are due


def test_a_strip_at_the_beginning_repeats_the_first_window(
    moment: Moment, make_frames: Frames, make_detections: Detections
) -> None:
    early = Moment(KEY, 50_000, moment.box_xywh, None, moment.colour, is_detected=True)
    strip = draw_strip(early, make_frames(num_windows=9), None, make_detections())
    assert strip is not None
    first = pictures(strip)[:3]
    assert all(np.array_equal(picture, first[0]) for picture in first)


def test_a_moment_without_a_window_has_no_strip(
    moment: Moment, make_frames: Frames, make_detections: Detections
) -> None:
    assert draw_strip(moment, make_frames(num_windows=2), None, make_detections()) is None
    assert draw_strip(moment, make_frames(num_windows=0), None, make_detections()) is None


def test_boxes_outside_what_is_shown_are_not_drawn(
    moment: Moment, make_frames: Frames, make_detections: Detections
) -> None:
    far = make_detections((200_000, 4000, 10, 16, 8, 0, 0.9), (200_000, 20, -900, 16, 8, 0, 0.9))
    frames = make_frames(num_windows=9)
    one, other = (draw_strip(moment, frames, None, each) for each in (far, make_detections()))
    assert one is not None
    assert other is not None
    assert np.array_equal(one, other)


def test_large_boxes_are_shown_whole(
    make_frames: Frames, make_detections: Detections, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "wide.h5", "w") as file:
        file["data"] = np.zeros((9, 4, 400, 900), np.uint8)
    frames = replace(make_frames(num_windows=9), path=tmp_path / "wide.h5", height=400, width=900)
    box = (60.0, 40.0, 1600.0, 700.0)
    huge = Moment(KEY, 200_000, box, None, palette.class_colour(0), is_detected=True)
    strip = draw_strip(huge, frames, None, make_detections())
    assert strip is not None
    columns = np.flatnonzero((pictures(strip)[3] == CAR).all(axis=2).any(axis=0))
    assert 0 < columns[0] < columns[-1] < WIDTH - 1


def test_mistakes_of_a_kind_are_of_different_moments() -> None:
    rows = [row(time_s=1), row(time_s=1.5), row("missed", 1.2), row(time_s=2.1), row(time_s=9)]
    other = row(time_s=1.1, recording="test/other")
    chosen = list(choose_mistakes([*rows, other], 3))
    assert chosen == [rows[0], rows[3], rows[4], rows[2]]
    bus = row(time_s=1) | {"class": "bus"}
    assert list(choose_mistakes([rows[0], other, bus], 3)) == [rows[0], other, bus]
    assert list(choose_mistakes(rows, 0)) == []


def test_strips_keep_to_the_budget() -> None:
    random = np.random.default_rng(1)
    strips = [random.integers(0, 255, (60, 60, 3)).astype(np.uint8) for _ in range(4)]
    lossless = encode_strips(strips)
    assert all(
        np.array_equal(np.asarray(Image.open(io.BytesIO(each or b""))), strip)
        for each, strip in zip(lossless, strips, strict=True)
    )
    total = sum(len(each or b"") for each in lossless)
    worse = encode_strips(strips, total // 2)
    assert all(worse)
    assert sum(len(each or b"") for each in worse) <= total // 2
    fewer = encode_strips(strips, len(worse[0] or b""))
    assert fewer[0]
    assert fewer[-1] is None
    assert encode_strips([None, strips[0]])[0] is None


def test_mistakes_without_histograms_are_told_without_pictures(
    make_frames: Frames, make_detections: Detections, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [row(), row() | {"recording": "test/other", "class": "any"}]
    detections = {"test/other": make_detections(), KEY: make_detections()}
    frames, settings = {KEY: make_frames(num_windows=9)}, ReportSettings(score_threshold=0.3)
    with caplog.at_level(logging.WARNING):
        with_picture, without = mistake_clips(rows, frames, {}, detections, ["car"], settings)
    assert with_picture.strip
    assert without.strip is None
    assert "test/other" in caplog.text
    frames[KEY].path.unlink()
    assert mistake_clips(rows[:1], frames, {}, detections, ["car"], settings)[0].strip is None


def test_what_a_clip_says_is_that_of_its_row(
    make_frames: Frames, make_detections: Detections
) -> None:
    missed = row("missed", score=float("nan"), label_class="car")
    (clip,) = mistake_clips(
        [missed],
        {KEY: make_frames(num_windows=9)},
        {},
        {KEY: make_detections()},
        ["car"],
        ReportSettings(score_threshold=0.3),
    )
    assert (clip.kind, clip.class_name, clip.label_class) == ("missed", "car", "car")
    assert (clip.score, clip.cost, clip.light, clip.time_us) == (None, 0.01, "day", 200_000)

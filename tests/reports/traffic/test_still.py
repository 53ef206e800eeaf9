"""The picture of a site."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from etram_pipeline.drawing import palette
from etram_pipeline.reports.traffic import still
from etram_pipeline.reports.traffic.still import draw_still, write_still
from etram_pipeline.stores.representation_store import StoredRepresentations
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import TrackTable, empty_tracks

SENSOR = Observed(width=63, height=41, start_us=0, stop_us=200_000)

MakeFrames = Callable[..., StoredRepresentations]


def moving(track_id: int, x: float, y: float, by: tuple[float, float]) -> TrackTable:
    """Ten boxes of 4 x 4 px whose ground point begins at `x`, `y`."""
    rows = empty_tracks(10)
    rows["t"] = 50_000 * np.arange(1, 11)
    rows["track_id"], rows["w"], rows["h"] = track_id, 4, 4
    rows["x"], rows["y"] = x - 2 + by[0] * np.arange(10), y - 4 + by[1] * np.arange(10)
    return rows


def distance(pixel: np.ndarray, colour: str) -> int:
    return int(np.abs(pixel.astype(int) - palette.rgb(colour)).max())


def test_a_still_has_the_size_of_the_sensor(make_frames: MakeFrames) -> None:
    assert draw_still(make_frames(), empty_tracks(), SENSOR).shape == (41, 63, 3)


def test_more_events_are_lighter_and_none_are_dark(make_frames: MakeFrames) -> None:
    picture = draw_still(make_frames(), empty_tracks(), SENSOR)
    # Of the four windows, all have events in the first column, and one in the fourth.
    assert picture[0, 0].sum() > picture[0, 7].sum() > picture[20, 20].sum()
    assert distance(picture[20, 20], palette.NO_EVENTS) == 0


@pytest.mark.parametrize(
    ("by", "angle"), [((4, 0), 0.0), ((-4, 0), np.pi), ((0, 2), np.pi / 2), ((0, -2), -np.pi / 2)]
)
def test_a_trajectory_has_the_colour_of_its_direction(
    make_frames: MakeFrames, by: tuple[float, float], angle: float
) -> None:
    start = (30 - 5 * by[0], 20 - 5 * by[1])
    picture = draw_still(make_frames(), moving(1, *start, by), SENSOR)
    assert distance(picture[20, 30], palette.direction_colour(angle)) < 80


def test_tracks_and_windows_drawn_are_bounded(
    make_frames: MakeFrames, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    class Watched(StoredRepresentations):
        def read(self, start: int, stop: int) -> np.ndarray:
            read.append(start)
            return super().read(start, stop)

    frames = Watched(**vars(make_frames(num_windows=12)))
    monkeypatch.setattr(still, "_MAX_WINDOWS", 3)
    monkeypatch.setattr(still, "_MAX_TRACKS", 2)
    tracks = np.concatenate([moving(k, 5, 5 * k, (5, 0)) for k in (1, 3, 6)])
    picture = draw_still(frames, tracks, SENSOR)
    assert read == [0, 6, 11]
    shown = [picture[5 * k, 30].astype(int).sum() > 200 for k in (1, 3, 6)]
    assert shown == [True, False, True]


def test_all_directions_are_as_light() -> None:
    ink = {
        palette.readable_ink(palette.direction_colour(angle)) for angle in np.arange(0, 6.3, 0.1)
    }
    assert ink == {palette.PANEL}
    assert palette.direction_colour(0.0) != palette.direction_colour(np.pi)


def test_a_map_program_places_the_picture_with_rows_downwards(tmp_path: Path) -> None:
    picture = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    path = tmp_path / "site.png"
    write_still(path, picture)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(path.read_bytes()))), picture)
    world = [float(line) for line in (tmp_path / "site.pgw").read_text().split()]
    x_size, y_rotation, x_rotation, y_size, left, top = world
    # The middle of column 4, row 3, by the affine map of a world file.
    assert (x_size * 4 + x_rotation * 3 + left, y_rotation * 4 + y_size * 3 + top) == (4.5, -3.5)

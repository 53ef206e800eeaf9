"""Pictures with tracks: boxes, trails, and lines with counts."""

from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest
from PIL import ImageDraw

from etram_pipeline.drawing import palette
from etram_pipeline.drawing.render import RgbImage, font, text_px
from etram_pipeline.labels.detections import DETECTION_DTYPE
from etram_pipeline.reports.settings import ReportSettings
from etram_pipeline.reports.traffic import site_drawing
from etram_pipeline.reports.traffic.line_arrow import line_arrow, name_place
from etram_pipeline.reports.traffic.site_drawing import LineCounts
from etram_pipeline.reports.traffic.track_annotation import SiteAnnotator, TrackedView
from etram_pipeline.reports.video import annotate_recording
from etram_pipeline.stores.representation_store import StoredRepresentations
from etram_pipeline.tracks.table import RESTED, SEEN, TrackTable, empty_tracks
from etram_pipeline.traffic.site import Image, Line, Point, Site, Zone

SCALE = 4
FACTOR = SCALE // 2
"""Px of the picture per px of the sensor, which is twice as fine as the representation."""

SITE = Site(
    image=Image(width=64, height=40),
    lines={"west": Line(points=((20, 5), (20, 35)), forward="in", backward="out")},
    ignore={"trees": Zone(polygon=((40, 2), (62, 2), (62, 14), (40, 14)))},
)
CROSSINGS = np.array(
    [(70_000, "west", "in"), (160_000, "west", "in"), (90_000, "west", "out")],
    [("t", "<i8"), ("line", "U64"), ("direction", "U64")],
)

MakeFrames = Callable[..., StoredRepresentations]


@pytest.fixture
def draw(make_frames: MakeFrames) -> Callable[..., list[RgbImage]]:
    """Draws the four windows of a recording with a view."""

    def drawn(view: TrackedView) -> list[RgbImage]:
        nothing = np.zeros(0, DETECTION_DTYPE)
        settings = ReportSettings(scale=SCALE)
        frames = make_frames(num_windows=4)
        return list(annotate_recording(frames, nothing, None, ("car",), settings, view))

    return drawn


def track(state: int = SEEN, **values: float) -> TrackTable:
    """A car that moves to the right below the middle, by 10 px in each of four windows."""
    rows = empty_tracks(4)
    rows["t"] = 50_000 * np.arange(1, 5)
    rows["track_id"], rows["x"], rows["y"], rows["w"], rows["h"] = 7, 10 * np.arange(4), 18, 8, 10
    rows["state"] = state
    for name, value in values.items():
        rows[name] = value
    return rows


def has_colour(picture: RgbImage, colour: str) -> np.ndarray:
    return np.asarray((picture == palette.rgb(colour)).all(axis=-1))


def below_headline(picture: RgbImage) -> RgbImage:
    """The part that shows the sensor."""
    top = 2 * text_px(picture.shape[1]) + 6
    return picture[top : top + 40 * FACTOR]


def test_a_box_has_the_colour_of_its_class_and_is_dotted_while_it_rests(
    draw: Callable[..., list[RgbImage]],
) -> None:
    car = palette.class_colour(0)
    edges = []
    for state in (SEEN, RESTED):
        picture = below_headline(draw(TrackedView(track(state)))[3])
        left, top = 30 * FACTOR, 18 * FACTOR
        edges.append(has_colour(picture, car)[top, left : left + 8 * FACTOR].mean())
    assert edges[0] == 1
    assert 0 < edges[1] < 0.5


def test_a_trail_fades_and_is_gone_after_two_seconds(draw: Callable[..., list[RgbImage]]) -> None:
    row = (18 + 10) * FACTOR
    picture = below_headline(draw(TrackedView(track()))[3])
    strengths = [int(picture[row, x * FACTOR].max()) for x in (8, 18)]
    assert palette.rgb(palette.NO_EVENTS)[2] < strengths[0] < strengths[1]
    rows = track()
    rows["t"][:3] -= 2_000_000
    gone = below_headline(draw(TrackedView(rows))[3])
    assert has_colour(gone, palette.NO_EVENTS)[row, 8 * FACTOR : 28 * FACTOR].all()


def test_ids_classes_and_speeds_are_written(
    monkeypatch: pytest.MonkeyPatch, draw: Callable[..., list[RgbImage]]
) -> None:
    tags: list[str] = []
    found = SiteAnnotator._found

    def watched(self: SiteAnnotator, scene: Any) -> Any:  # noqa: ANN401
        overlays = found(self, scene)
        tags.extend(tag for overlay in overlays for tag in overlay.tags)
        return overlays

    monkeypatch.setattr(SiteAnnotator, "_found", watched)
    draw(TrackedView(track()))
    draw(TrackedView(track(speed_m_s=10.0)))
    assert tags == ["7 car"] * 4 + ["7 car 36 km/h"] * 4


def test_lines_count_what_has_crossed_so_far(
    monkeypatch: pytest.MonkeyPatch, draw: Callable[..., list[RgbImage]]
) -> None:
    written: list[str] = []
    monkeypatch.setattr(site_drawing, "_write", lambda *args, **_: written.append(args[2]))
    draw(TrackedView(track(), SITE, CROSSINGS))
    expected = ["in 0", "out 0", "in 1", "out 1", "in 1", "out 1", "in 2", "out 1"]
    assert written == ["west", *expected]


@pytest.mark.parametrize("end", [(320, 40), (320, 340), (40, 190), (600, 190), (500, 360)])
def test_counts_of_both_directions_can_be_read(monkeypatch: pytest.MonkeyPatch, end: Point) -> None:
    canvas = ImageDraw.Draw(PIL.Image.new("RGB", (1280, 760)))
    letters = font(text_px(1280), bold=True)
    boxes: list[tuple[float, float, float, float]] = []

    def note(draw: ImageDraw.ImageDraw, place: Point, text: str, *_: object, **__: object) -> None:
        boxes.append(draw.textbbox(place, text, letters, "mm"))

    monkeypatch.setattr(site_drawing, "_write", note)
    line = Line(points=((320, 190), end), forward="towards the town", backward="from the town")
    site = Site(image=Image(width=640, height=380), lines={"road": line})
    site_drawing.draw_counts(canvas, site, {("road", "towards the town"): 1234}, 2.0)
    (left, top, right, bottom), (left_2, top_2, right_2, bottom_2) = boxes
    assert right < left_2 or right_2 < left or bottom < top_2 or bottom_2 < top


def test_ignored_zones_are_hatched_and_lines_drawn(draw: Callable[..., list[RgbImage]]) -> None:
    with_site, without = (
        below_headline(draw(TrackedView(empty_tracks(), site))[1]) for site in (SITE, None)
    )
    changed = (with_site != without).any(axis=-1)
    inside = changed[4 * FACTOR : 12 * FACTOR, 43 * FACTOR : 60 * FACTOR]
    assert 0.02 < inside.mean() < 0.6
    assert has_colour(with_site, palette.LINE_OF_SITE)[34 * FACTOR, 20 * FACTOR]


def test_counts_include_what_happens_at_that_time() -> None:
    counts = LineCounts(CROSSINGS)
    assert counts.until(69_999) == {("west", "in"): 0, ("west", "out"): 0}
    assert counts.until(160_000) == {("west", "in"): 2, ("west", "out"): 1}
    assert LineCounts(None).until(5) == {}


@pytest.mark.parametrize(
    ("points", "forward"),
    [
        (((0, 0), (10, 0)), (0, 1)),  # to the right: the right hand is below
        (((0, 10), (0, 0)), (1, 0)),  # upwards: it is at the right
        (((0, 0), (0, 4), (9, 4), (9, 9)), (0, 1)),  # the middle part decides
    ],
)
def test_forward_is_the_right_hand_of_the_way(points: tuple[Point, ...], forward: Point) -> None:
    assert line_arrow(Line(points=points)).forward == forward


@pytest.mark.parametrize(
    ("points", "place"),
    [
        (((0, 0), (8, 0)), (2, 0)),
        (((0, 0), (1, 0), (1, 7)), (1, 1)),
        (((0, 0), (0, 1), (0, 2), (4, 2), (4, 4)), (0, 2)),
    ],
)
def test_the_name_of_a_line_is_a_quarter_along_it(points: tuple[Point, ...], place: Point) -> None:
    assert name_place(Line(points=points)) == place

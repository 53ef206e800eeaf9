"""Pictures of events and boxes on them."""

import numpy as np
import pytest

from etram_pipeline.drawing import palette, render
from etram_pipeline.drawing.render import (
    Overlay,
    draw_boxes,
    enlargement,
    font,
    polarity_image,
)
from etram_pipeline.events.polarity import saturation_of

BLACK = np.zeros((30, 40, 3), np.uint8)
RED = (255, 0, 0)


def _boxes(*boxes: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(boxes, np.float32)


def test_histogram_shows_rising_light_falling_blue_and_silence_dark() -> None:
    frame = np.zeros((4, 1, 3), np.uint8)  # two polarities of two bins, falling first
    frame[3, 0, 0] = 5
    frame[0, 0, 1] = 5
    image = polarity_image(frame)
    colours = [palette.rgb(colour) for colour in (palette.ON, palette.OFF, palette.NO_EVENTS)]
    assert image[0].tolist() == [list(colour) for colour in colours]


def test_pixel_with_both_polarities_is_between_their_colours() -> None:
    frame = np.full((2, 1, 1), 4, np.uint8)
    expected = (np.array(palette.rgb(palette.ON)) + palette.rgb(palette.OFF)) / 2
    assert polarity_image(frame)[0, 0] == pytest.approx(expected, abs=1)


def test_mixed_density_shows_the_balance_of_its_last_channel() -> None:
    frame = np.zeros((10, 1, 3), np.int8)
    frame[9, 0] = [7, -7, 0]
    frame[0, 0] = [-7, 7, 7]  # an earlier part of the window, which the last channel contains
    image = polarity_image(frame)
    colours = [palette.rgb(colour) for colour in (palette.ON, palette.OFF, palette.NO_EVENTS)]
    assert image[0].tolist() == [list(colour) for colour in colours]


def test_counts_beyond_uint8_do_not_wrap() -> None:
    frame = np.full((40, 1, 1), 10, np.uint8)  # 200 rising and 200 falling events
    frame[:20] = 0
    frame[20:, 0, 0] = 255
    assert polarity_image(frame)[0, 0].tolist() == list(palette.rgb(palette.ON))


def test_more_events_are_brighter_and_one_is_visible_beside_many() -> None:
    frame = np.zeros((2, 1, 3), np.uint8)
    frame[1, 0] = [1, 9, 100]
    one, nine, many = polarity_image(frame, saturation=100.0).astype(int).sum(axis=2)[0]
    assert sum(palette.rgb(palette.NO_EVENTS)) + 30 < one < nine < many


def test_odd_number_of_counting_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="an even number of channels, but this one has 3"):
        polarity_image(np.zeros((3, 2, 2), np.uint8))


def test_frame_without_events_is_background() -> None:
    empty = np.zeros((2, 4, 4), np.uint8)
    assert saturation_of(empty) == 1
    assert (polarity_image(empty) == palette.rgb(palette.NO_EVENTS)).all()


def test_box_is_drawn_on_its_outermost_pixels_after_enlarging() -> None:
    overlay = Overlay(_boxes((5, 10, 15, 20)), ("#ff0000",))
    image = draw_boxes(BLACK, overlay, scale=3)
    rows, columns = np.nonzero((image == RED).all(axis=2))
    assert image.shape == (90, 120, 3)
    assert (columns.min(), columns.max()) == (15, 44)
    assert (rows.min(), rows.max()) == (30, 59)
    assert not image[33:57, 18:42].any()


def test_box_beyond_the_picture_is_drawn_along_its_border() -> None:
    image = draw_boxes(BLACK, Overlay(_boxes((-5, -5, 90, 90)), ("#ff0000",)))
    assert (image[0] == RED).all()
    assert (image[-1] == RED).all()
    assert (image[:, -1] == RED).all()


def test_dashed_box_leaves_gaps_where_a_solid_one_has_none() -> None:
    box = _boxes((2, 2, 38, 28))
    dashed = draw_boxes(BLACK, Overlay(box, ("#ff0000",), outline="dashed"))[2, 2:38]
    solid = draw_boxes(BLACK, Overlay(box, ("#ff0000",)))[2, 2:38]
    assert solid[:, 0].all()
    assert 0 < dashed[:, 0].astype(bool).sum() < 36


def test_tags_of_one_place_do_not_cover_each_other() -> None:
    wide = np.zeros((200, 300, 3), np.uint8)
    boxes = _boxes((40, 80, 140, 120), (42, 82, 142, 122))
    image = draw_boxes(wide, Overlay(boxes, ("#ff0000", "#00ff00"), ("first", "second")))
    height = 17
    for colour in ((255, 0, 0), (0, 255, 0)):
        rows = (image == colour).all(axis=2).sum(axis=1)
        assert (rows >= 10).sum() >= height - 2


def test_tag_at_the_top_border_stays_inside_the_picture() -> None:
    wide = np.zeros((100, 300, 3), np.uint8)
    image = draw_boxes(wide, Overlay(_boxes((250, 0, 299, 40)), ("#ff0000",), ("wheelchair 0.99",)))
    below = (image[41:60] == RED).all(axis=2)
    assert below.sum() > 300


def test_boxes_without_tags_and_no_boxes_at_all_are_drawn() -> None:
    nothing = Overlay(np.zeros((0, 4), np.float32), ())
    assert not draw_boxes(BLACK, nothing).any()


@pytest.mark.parametrize(("width", "factor"), [(1280, 1), (960, 1), (640, 2), (320, 3), (1, 960)])
def test_small_pictures_are_enlarged_by_whole_factors(width: int, factor: int) -> None:
    assert enlargement(width) == factor


def test_text_can_be_written_where_matplotlib_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(render, "find_spec", lambda _name: None)
    sizes = [font.__wrapped__(size_px).getbbox("car 0.87") for size_px in (12, 24)]
    widths = [right - left for left, _, right, _ in sizes]
    assert 30 < widths[0] < 70
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.1)

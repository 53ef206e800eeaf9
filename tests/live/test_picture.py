"""Small pictures of events."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from etram_pipeline.drawing import palette
from etram_pipeline.drawing.render import polarity_image
from etram_pipeline.live.picture import events_png


def decoded(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))


def test_rising_is_light_falling_blue_and_silence_dark() -> None:
    frame = np.zeros((2, 1, 3), np.uint8)
    frame[1, 0, 0] = frame[0, 0, 1] = 4
    colours = [palette.rgb(colour) for colour in (palette.ON, palette.OFF, palette.NO_EVENTS)]
    assert decoded(events_png(frame, 4.0))[0].tolist() == [list(each) for each in colours]


@given(st.integers(1, 9), st.integers(1, 9), st.floats(1, 300), st.integers(0, 2**32 - 1))
def test_it_has_the_brightness_of_the_pictures_of_reports(
    height: int, width: int, saturation: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shape = (4, height, width)
    frame = (rng.integers(0, 256, shape) * (rng.random(shape) < 0.3)).astype(np.uint8)
    fine = polarity_image(frame, saturation).astype(int)
    coarse = decoded(events_png(frame, saturation)).astype(int)
    assert coarse.shape == fine.shape
    is_dark = (fine == palette.rgb(palette.NO_EVENTS)).all(axis=-1)
    assert (coarse[~frame.any(axis=0)] == palette.rgb(palette.NO_EVENTS)).all()
    # Five levels are a fifth of the full difference apart, and three shades half of theirs; both
    # pictures have whole numbers.
    apart = np.abs(coarse - fine)[..., 2][~is_dark]
    assert (apart <= 0.2 * 230 + 0.25 * 40 + 1).all()


def test_few_events_make_a_small_picture() -> None:
    frame = np.zeros((20, 360, 640), np.uint8)
    assert len(events_png(frame, 1.0)) < 2000
    frame[3, 100, 200] = 1
    assert len(events_png(frame, 1.0)) == pytest.approx(len(events_png(frame * 0, 1.0)), abs=20)

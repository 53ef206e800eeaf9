import numpy as np
import pytest

from etram_pipeline.core.errors import StoreError
from etram_pipeline.export.pictures.polarity import Config

COUNTS = np.array([0, 1, 4, 16, 200])


def test_each_polarity_has_a_colour_channel_of_its_own() -> None:
    frame = np.zeros((4, 1, 2), np.uint8)  # two polarities of two bins, falling first
    frame[3, 0, 0] = 5
    frame[0, 0, 1] = 5
    picture = Config(saturation=5).build(4, signed=False)(frame)
    assert picture.tolist() == [[[0, 255, 0], [0, 0, 255]]]


def test_strength_grows_with_the_root_of_the_count_up_to_the_saturation() -> None:
    frame = np.stack([np.zeros((1, 5)), COUNTS[None]]).astype(np.uint8)
    picture = Config(saturation=16).build(2, signed=False)(frame)
    assert picture[0, :, 1].tolist() == [0, 64, 128, 255, 255]


def test_both_polarities_are_told_apart_whatever_their_counts() -> None:
    pairs = np.stack(np.meshgrid(np.arange(11), np.arange(11))).astype(np.uint8)
    picture = Config(saturation=10).build(2, signed=False)(pairs)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 121


def test_colours_are_added_to_the_background() -> None:
    frame = np.array([[[0, 0, 9, 9]], [[0, 9, 0, 9]]], np.uint8)
    colours = {"rising": "#ffffff", "falling": "#3f87d2", "background": "#10151e"}
    picture = Config(saturation=9, **colours).build(2, signed=False)(frame)
    assert picture[0].tolist() == [[16, 21, 30], [255, 255, 255], [63, 135, 210], [255, 255, 255]]


def test_balances_show_which_polarity_outweighs() -> None:
    frame = np.zeros((3, 1, 3), np.int8)
    frame[2, 0] = [4, -4, 0]
    picture = Config(saturation=4).build(3, signed=True)(frame)
    assert picture.tolist() == [[[0, 255, 0], [0, 0, 255], [0, 0, 0]]]


def test_counts_without_two_polarities_are_refused() -> None:
    with pytest.raises(StoreError, match="3 channels do not split into two polarities"):
        Config().build(3, signed=False)


def test_a_colour_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'green' is not a colour such as '#00ff00'"):
        Config(rising="green")

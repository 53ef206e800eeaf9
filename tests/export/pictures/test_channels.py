import numpy as np
import pytest

from etram_pipeline.core.errors import StoreError
from etram_pipeline.export.pictures.channels import Config


def test_three_groups_are_summed_into_three_colours() -> None:
    frame = np.array([1, 2, 3, 4], np.uint8).reshape(4, 1, 1)
    config = Config(groups=((0, 1), (), (2, 3)), saturation=20)
    assert config.build(4, signed=False)(frame).tolist() == [[[38, 0, 89]]]


def test_one_group_is_grey_and_none_named_is_all_channels() -> None:
    frame = np.array([1, 2, 3, 4], np.uint8).reshape(4, 1, 1)
    assert Config(groups=((1,),), saturation=2).build(4, signed=False)(frame).tolist() == [[255]]
    assert Config(saturation=50).build(4, signed=False)(frame).tolist() == [[51]]


def test_sums_beyond_the_saturation_stay_at_full_brightness() -> None:
    frame = np.full((40, 1, 1), 255, np.uint8)
    assert Config(saturation=255).build(40, signed=False)(frame).tolist() == [[255]]


def test_balances_are_grey_at_zero_and_symmetric_about_it() -> None:
    frame = np.array([[[-128, -8, -2, 0, 2, 8, 127]]], np.int8)
    picture = Config(groups=((0,),), saturation=8).build(1, signed=True)(frame)
    assert picture.tolist() == [[1, 1, 96, 128, 160, 255, 255]]


def test_channels_that_are_not_there_are_named() -> None:
    with pytest.raises(StoreError, match=r"channels \[4, 7\], but .* have 4, from 0 to 3"):
        Config(groups=((0, 7), (4,), (1,))).build(4, signed=False)


def test_two_groups_make_no_picture() -> None:
    with pytest.raises(ValueError, match="has 2 groups of channels, but a picture shows 1"):
        Config(groups=((0,), (1,)))

"""What every kind of picture promises."""

import pickle

import numpy as np
import pytest

from etram_pipeline.core.component import kinds
from etram_pipeline.export import pictures
from etram_pipeline.export.pictures import PictureConfig


@pytest.fixture(params=kinds(pictures.__name__))
def config(request: pytest.FixtureRequest) -> PictureConfig:
    return PictureConfig.model_validate({"kind": request.param})


def frame(signed: bool, seed: int = 0) -> np.ndarray:  # noqa: FBT001  # a parameter of tests
    values = np.random.default_rng(seed).integers(-128, 128, (20, 5, 7))
    return values.astype(np.int8) if signed else (values + 128).astype(np.uint8)


@pytest.mark.parametrize("signed", [False, True])
def test_a_picture_has_the_size_of_the_representation(config: PictureConfig, signed: bool) -> None:  # noqa: FBT001
    picture = config.build(20, signed=signed)(frame(signed))
    assert picture.dtype == np.uint8
    assert picture.shape in [(5, 7), (5, 7, 3)]
    assert picture.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize("signed", [False, True])
def test_a_picture_depends_on_its_representation_alone(config: PictureConfig, signed: bool) -> None:  # noqa: FBT001
    paint = config.build(20, signed=signed)
    before = frame(signed)
    first = paint(before)
    paint(frame(signed, seed=1))
    np.testing.assert_array_equal(paint(before), first)
    np.testing.assert_array_equal(before, frame(signed))


@pytest.mark.parametrize("signed", [False, True])
def test_events_can_be_seen_and_silence_is_one_colour(config: PictureConfig, signed: bool) -> None:  # noqa: FBT001
    silence = np.zeros((20, 5, 7), np.int8 if signed else np.uint8)
    one = silence.copy()
    one[19, 2, 3] = 1
    paint = config.build(20, signed=signed)
    blank = paint(silence).reshape(35, -1)
    assert (blank == blank[0]).all()
    changed = (paint(one).reshape(35, -1) != blank).any(axis=1)
    assert np.flatnonzero(changed).tolist() == [2 * 7 + 3]


def test_settings_survive_being_written_and_sent(config: PictureConfig) -> None:
    assert PictureConfig.model_validate(config.model_dump(mode="json")) == config
    assert pickle.loads(pickle.dumps(config)) == config

"""Balances of polarities."""

from collections.abc import Callable

import numpy as np
import pytest

from etram_pipeline.core.recording import Events
from etram_pipeline.events.representations.mixed_density import Config
from etram_pipeline.events.windows.label_aligned import Config as Windows

MakeEvents = Callable[[list[tuple[int, int, int, int]]], Events]
HEIGHT, WIDTH = 4, 6


def test_every_channel_sums_up_a_longer_beginning(make_events: MakeEvents) -> None:
    # With four parts, they end at 1/8, 1/4, 1/2 and all of the way.
    rows = [(0, 0, 0, 1), (0, 0, 124, 1), (0, 0, 125, 0), (0, 0, 250, 1), (0, 0, 500, 1)]

    image = Config(bins=4, downsample=None).build(HEIGHT, WIDTH)(
        make_events([*rows, (1, 0, 1000, 0)])
    )

    assert image[:, 0, 0].tolist() == [2, 1, 2, 3]
    assert image[:, 0, 1].tolist() == [0, 0, 0, -1]


@pytest.mark.parametrize(
    ("count", "polarity", "saturated", "wrapped"),
    [(32, 1, 32, 32), (40, 0, -32, -32), (127, 1, 32, 32), (128, 1, 32, -32), (250, 1, 32, -6)],
)
def test_a_hot_pixel_stops_at_the_cutoff_unless_it_may_wrap(
    make_events: MakeEvents, count: int, polarity: int, saturated: int, wrapped: int
) -> None:
    events = make_events([(1, 1, 0, polarity)] * count)

    assert Config().build(HEIGHT, WIDTH)(events)[9, 0, 0] == saturated
    assert Config(overflow="wrap").build(HEIGHT, WIDTH)(events)[9, 0, 0] == wrapped


def test_without_a_cutoff_balances_stop_where_8_bits_do(make_events: MakeEvents) -> None:
    represent = Config(cutoff=None).build(HEIGHT, WIDTH)

    assert represent(make_events([(1, 1, 0, 1)] * 300))[9, 0, 0] == 127
    assert represent(make_events([(1, 1, 0, 0)] * 300))[9, 0, 0] == -128


def test_halving_keeps_odd_rows_and_columns_alone(make_events: MakeEvents) -> None:
    everywhere = [(x, y, 0, 1) for y in range(HEIGHT) for x in range(WIDTH)]

    image = Config(bins=1).build(HEIGHT, WIDTH)(make_events([*everywhere, (3, 1, 0, 0)]))

    assert image.tolist() == [[[1, 0, 1], [1, 1, 1]]]
    assert image.dtype == np.int8


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (Config(), "mixeddensity_stack_dt=50_nbins=10_cutoff=32"),
        (Config(bins=5, cutoff=None), "mixeddensity_stack_dt=50_nbins=5"),
    ],
)
def test_the_folder_is_named_as_by_the_reference(config: Config, name: str) -> None:
    assert config.name(Windows()) == name

"""Counts of events."""

from collections.abc import Callable

import numpy as np
import pytest

from etram_pipeline.core.recording import Events
from etram_pipeline.events.representations.stacked_histogram import Config
from etram_pipeline.events.windows.label_aligned import Config as Windows

MakeEvents = Callable[[list[tuple[int, int, int, int]]], Events]
HEIGHT, WIDTH = 4, 6


def test_an_event_is_counted_by_polarity_and_part(make_events: MakeEvents) -> None:
    image = Config(bins=5, downsample=None).build(HEIGHT, WIDTH)(
        make_events([(0, 0, 0, 0), (2, 1, 450, 1), (5, 3, 1000, 0)])
    )

    # Channel, row, column: falls come first, and the last event is in the last part.
    assert np.argwhere(image).tolist() == [[0, 0, 0], [4, 3, 5], [5 + 2, 1, 2]]


def test_parts_divide_the_span_of_the_events(make_events: MakeEvents) -> None:
    image = Config(bins=2, downsample=None).build(HEIGHT, WIDTH)(
        make_events([(0, 0, 40_000, 1), (1, 0, 40_049, 1), (2, 0, 40_050, 1), (3, 0, 40_100, 1)])
    )

    assert image[:, 0].argmax(axis=0)[:4].tolist() == [2, 2, 3, 3]


def test_events_of_one_moment_are_in_the_first_part(make_events: MakeEvents) -> None:
    image = Config(bins=3, downsample=None).build(HEIGHT, WIDTH)(make_events([(1, 1, 77, 0)] * 4))

    assert image.sum() == image[0, 1, 1] == 4


def test_halving_keeps_odd_rows_and_columns_alone(make_events: MakeEvents) -> None:
    everywhere = [(x, y, 0, 1) for y in range(HEIGHT) for x in range(WIDTH)]

    image = Config(bins=1).build(HEIGHT, WIDTH)(make_events([*everywhere, (3, 1, 0, 1)]))

    assert image.shape == (2, HEIGHT // 2, WIDTH // 2)
    assert image[1].tolist() == [[1, 2, 1], [1, 1, 1]]


@pytest.mark.parametrize(
    ("count", "saturated", "wrapped"),
    [
        (9, 9, 9),
        (10, 10, 10),
        (11, 10, 10),
        (255, 10, 10),
        (256, 10, 0),
        (260, 10, 4),
        (300, 10, 10),
    ],
)
def test_a_hot_pixel_stops_at_the_maximum_unless_it_may_wrap(
    make_events: MakeEvents, count: int, saturated: int, wrapped: int
) -> None:
    events = make_events([(1, 1, 0, 1)] * count)

    assert Config(bins=1).build(HEIGHT, WIDTH)(events)[1, 0, 0] == saturated
    assert Config(bins=1, overflow="wrap").build(HEIGHT, WIDTH)(events)[1, 0, 0] == wrapped


@pytest.mark.parametrize(("count", "shown"), [(254, 254), (255, 255), (256, 255), (1000, 255)])
def test_without_a_maximum_counts_stop_where_8_bits_do(
    make_events: MakeEvents, count: int, shown: int
) -> None:
    image = Config(bins=1, max_count=None).build(HEIGHT, WIDTH)(make_events([(1, 1, 0, 0)] * count))

    assert image[0, 0, 0] == shown


def test_events_outside_the_sensor_are_in_no_cell(make_events: MakeEvents) -> None:
    outside = [(WIDTH, 1, 0, 1), (1, HEIGHT, 0, 1), (65_535, 65_535, 0, 1)]

    assert not Config(downsample=None).build(HEIGHT, WIDTH)(make_events(outside)).any()


@pytest.mark.parametrize(
    ("windows", "name"),
    [
        (Windows(), "stacked_histogram_dt=50_nbins=10"),
        (Windows(duration_ms=None, num_events=20_000), "stacked_histogram_ne=20000_nbins=10"),
    ],
)
def test_the_folder_is_named_as_by_the_reference(windows: Windows, name: str) -> None:
    assert Config().name(windows) == name

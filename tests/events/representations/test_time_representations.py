"""Representations of time and order on random streams, against definitions event by event."""

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.events.representations.test_representations import (
    HEIGHT,
    WIDTH,
    downsamplings,
    events_of,
    shares,
    some_events,
)

from etram_pipeline.core.recording import Events
from etram_pipeline.events.polarity import count_polarities
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.representations.time_surface import Config as TimeSurface
from etram_pipeline.events.representations.voxel_grid import Config as VoxelGrid
from etram_pipeline.events.representations.vtei import Config as Vtei
from etram_pipeline.events.windows.regular import Config as Windows

outside = (WIDTH, 1, 7, 1), (1, HEIGHT, 8, 0), (65_535, 65_535, 9, 1)
with_strays = st.builds(
    lambda events, strays: events_of(
        sorted(
            [
                *zip(events.x, events.y, events.t_us, events.polarity, strict=True),
                *strays,
            ],
            key=lambda row: row[2],
        )
    ),
    some_events,
    st.lists(st.sampled_from(outside), max_size=2),
)


def places(events: Events, config: RepresentationConfig) -> Iterator[tuple[int, int, int]]:
    """Number, row and column of each event that an image shows, in order."""
    rows, columns = config.image_size(HEIGHT, WIDTH)
    by = config.downsampled_by
    for number, (x, y) in enumerate(zip(events.x.tolist(), events.y.tolist(), strict=True)):
        is_odd = x % 2 == 1 and y % 2 == 1
        is_kept = is_odd or config.downsample != "nearest"
        if is_kept and y // by < rows and x // by < columns:
            yield number, y // by, x // by


def slow_vtei(events: Events, config: Vtei) -> np.ndarray:
    image = np.zeros((config.bins, *config.image_size(HEIGHT, WIDTH)), int)
    parts = np.floor(shares(events) * np.float32(config.bins)).astype(int)
    for number, row, column in places(events, config):
        part = min(parts[number], config.bins - 1)
        image[part, row, column] = 1 if events.polarity[number] else -1
    return image


def slow_grid(events: Events, config: VoxelGrid) -> np.ndarray:
    shape = config.bins, *config.image_size(HEIGHT, WIDTH)
    sums = {index: Fraction(0) for index in np.ndindex(shape)}
    times_us = events.t_us.tolist()
    for number, row, column in places(events, config):
        span_us = max(times_us[-1] - times_us[0], 1)
        place = Fraction((config.bins - 1) * (times_us[number] - times_us[0]), span_us)
        for moment in range(config.bins):
            share = max(Fraction(0), 1 - abs(moment - place))
            sums[moment, row, column] += share if events.polarity[number] else -share
    image = np.zeros(shape, int)
    for index, total in sums.items():
        steps = math.floor(abs(total) * config.steps_per_event + Fraction(1, 2))
        image[index] = min(steps, 127) * (1 if total > 0 else -1)
    return image


def slow_surface(events: Events, config: TimeSurface) -> np.ndarray:
    image = np.zeros((2, *config.image_size(HEIGHT, WIDTH)), int)
    for number, row, column in places(events, config):
        age_us = int(events.t_us[-1] - events.t_us[number])
        value = round(255 * math.exp(-age_us / (1000 * config.tau_ms)))
        image[events.polarity[number], row, column] = value
    return image


@settings(deadline=None)
@given(with_strays, st.builds(Vtei, bins=st.integers(1, 12), downsample=downsamplings))
def test_a_ternary_volume_shows_the_last_event_of_each_part(events: Events, config: Vtei) -> None:
    image = config.build(HEIGHT, WIDTH)(events)

    np.testing.assert_array_equal(image, slow_vtei(events, config))
    assert image.dtype == np.int8


@settings(deadline=None, max_examples=60)
@given(
    with_strays,
    st.builds(
        VoxelGrid,
        bins=st.integers(1, 5),
        steps_per_event=st.integers(1, 127),
        downsample=downsamplings,
    ),
)
@example(  # halves of a step, up and down
    events_of([(1, 1, 0, 1), (3, 1, 0, 0), (1, 1, 1, 1), (3, 3, 2, 1), (3, 3, 4, 0)]),
    VoxelGrid(bins=2, steps_per_event=2),
)
def test_a_voxel_grid_shares_each_event_between_two_moments(
    events: Events, config: VoxelGrid
) -> None:
    image = config.build(HEIGHT, WIDTH)(events)

    np.testing.assert_array_equal(image, slow_grid(events, config))
    assert image.dtype == np.int8


@settings(deadline=None)
@given(
    with_strays,
    st.builds(
        TimeSurface,
        tau_ms=st.one_of(st.sampled_from([0.001, 20.0, 1e6]), st.floats(0.01, 1000)),
        downsample=downsamplings,
    ),
)
def test_a_time_surface_decays_since_the_last_event_of_each_polarity(
    events: Events, config: TimeSurface
) -> None:
    image = config.build(HEIGHT, WIDTH)(events)

    np.testing.assert_array_equal(image, slow_surface(events, config))
    assert image.dtype == np.uint8


def test_of_events_at_one_time_the_last_in_the_recording_is_shown() -> None:
    rows = [(1, 1, 5, 0), (1, 1, 5, 1), (3, 1, 5, 1), (3, 1, 5, 0)]

    image = Vtei(bins=1).build(HEIGHT, WIDTH)(events_of(rows))

    assert image[0, 0].tolist() == [1, -1, 0, 0, 0]


def test_a_voxel_grid_of_one_event_halfway_shows_half_of_it_on_either_side() -> None:
    rows = [(0, 0, 0, 1), (1, 1, 250, 0), (0, 0, 1000, 1)]

    image = VoxelGrid(bins=3).build(HEIGHT, WIDTH)(events_of(rows))

    assert image[:, 0, 0].tolist() == [-4, -4, 0]


def test_a_time_surface_falls_to_37_percent_in_its_time_constant() -> None:
    rows = [(1, 1, 0, 1), (3, 1, 20_000, 0)]

    image = TimeSurface(tau_ms=20).build(HEIGHT, WIDTH)(events_of(rows))

    assert image[1, 0, 0] == round(255 / math.e)
    assert image[0, 0, 1] == 255
    assert np.count_nonzero(image) == 2


@pytest.mark.parametrize("config", [Vtei(bins=3), VoxelGrid(bins=3), TimeSurface()])
def test_pictures_show_events_of_the_whole_window(config: RepresentationConfig) -> None:
    rows = [(1, 1, 0, 1), (3, 1, 0, 0), (5, 1, 1000, 1), (7, 1, 1000, 0)]

    rising, falling = count_polarities(config.drawn(config.build(HEIGHT, WIDTH)(events_of(rows))))

    assert (rising[0] > 0).tolist() == [True, False, True, False, False]
    assert (falling[0] > 0).tolist() == [False, True, False, True, False]


def test_pictures_of_a_voxel_grid_show_numbers_of_events() -> None:
    config = VoxelGrid(bins=3)
    rows = [(1, 1, 0, 1), (1, 1, 500, 1), (1, 1, 1000, 1), (3, 1, 300, 0)]

    rising, falling = count_polarities(config.drawn(config.build(HEIGHT, WIDTH)(events_of(rows))))

    assert (rising[0, 0], falling[0, 1]) == (3, 1)


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (Vtei(), "vtei_dt=50_nbins=5"),
        (VoxelGrid(downsample="sum"), "voxel_grid_dt=50_nbins=10_steps=8_sum"),
        (TimeSurface(), "time_surface_dt=50_tau=20"),
        (TimeSurface(tau_ms=12.5), "time_surface_dt=50_tau=12.5"),
    ],
)
def test_the_folder_names_what_changes_the_content(config: RepresentationConfig, name: str) -> None:
    assert config.name(Windows()) == name

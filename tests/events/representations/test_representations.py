"""What every representation promises, and both against plain NumPy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etram_pipeline.core.component import kinds
from etram_pipeline.core.recording import Events
from etram_pipeline.events import representations
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.representations.mixed_density import Config as MixedDensity
from etram_pipeline.events.representations.stacked_histogram import Config as StackedHistogram
from etram_pipeline.events.windows import WindowConfig

HEIGHT, WIDTH = 7, 10


def events_of(rows: list[tuple[int, int, int, int]]) -> Events:
    x, y, t_us, polarity = np.array(sorted(rows, key=lambda row: row[2]), int).reshape(-1, 4).T
    return Events(x.astype(np.uint16), y.astype(np.uint16), t_us.copy(), polarity.astype(np.uint8))


row = st.tuples(
    st.integers(0, WIDTH - 1),
    st.integers(0, HEIGHT - 1),
    st.one_of(st.integers(0, 50), st.integers(0, 50_000), st.integers(0, 5_000_000)),
    st.integers(0, 1),
)
hot_pixel = st.tuples(row, st.integers(100, 600)).map(lambda drawn: [drawn[0]] * drawn[1])
some_events = st.builds(
    lambda rows, hot: events_of([*rows, *(event for pixel in hot for event in pixel)]),
    st.lists(row, max_size=80),
    st.lists(hot_pixel, max_size=2),
)
overflows = st.sampled_from(["saturate", "wrap"])
downsamplings = st.sampled_from(["nearest", "sum", None])


def shares(events: Events) -> np.ndarray:
    """Place of each event in their span, in single precision."""
    since_first_us = events.t_us - events.t_us[:1]
    span_us = max(since_first_us[-1], 1) if len(events) else 1
    return np.asarray(since_first_us.astype(np.float32) / np.float32(span_us))


def halve(image: np.ndarray, config: RepresentationConfig) -> np.ndarray:
    """An image of half the size, by the definition of each way to get there."""
    if config.downsample is None:
        return image
    if config.downsample == "nearest":
        return image[..., 1::2, 1::2]
    even = image[..., : HEIGHT // 2 * 2, : WIDTH // 2 * 2]
    return np.asarray(sum(even[..., row::2, column::2] for row in (0, 1) for column in (0, 1)))


def slow_histogram(events: Events, config: StackedHistogram) -> np.ndarray:
    image = np.zeros((2, config.bins, HEIGHT, WIDTH), np.int64)
    parts = np.floor(shares(events) * np.float32(config.bins)).astype(int)
    parts = np.minimum(parts, config.bins - 1)
    np.add.at(image, (events.polarity, parts, events.y, events.x), 1)
    image = halve(image, config)
    if config.overflow == "wrap":
        image %= 256
    return np.minimum(image, config.max_count or 255).reshape(-1, *image.shape[2:])


def slow_density(events: Events, config: MixedDensity) -> np.ndarray:
    image = np.zeros((config.bins, HEIGHT, WIDTH), np.int64)
    share = shares(events).clip(np.float32(1e-6), np.float32(1 - 1e-6))
    logarithms = np.log(share.astype(np.float64)).astype(np.float32)
    halvings = logarithms / np.float32(math.log(0.5))
    parts = np.floor(np.maximum(np.float32(config.bins) - halvings, 0)).astype(int)
    signs = 2 * events.polarity.astype(int) - 1
    np.add.at(image, (np.minimum(parts, config.bins - 1), events.y, events.x), signs)
    image = halve(image.cumsum(axis=0), config)
    if config.overflow == "wrap":
        image = image.astype(np.int8).astype(int)
    least, greatest = (-128, 127) if config.cutoff is None else (-config.cutoff, config.cutoff)
    return image.clip(least, greatest)


@settings(deadline=None)
@given(
    some_events,
    st.builds(
        StackedHistogram,
        bins=st.integers(1, 12),
        max_count=st.one_of(st.none(), st.integers(1, 255)),
        overflow=overflows,
        downsample=downsamplings,
    ),
)
def test_a_histogram_is_the_count_of_its_events(events: Events, config: StackedHistogram) -> None:
    image = config.build(HEIGHT, WIDTH)(events)

    np.testing.assert_array_equal(image, slow_histogram(events, config))


@settings(deadline=None)
@given(
    some_events,
    st.builds(
        MixedDensity,
        bins=st.integers(1, 24),
        cutoff=st.one_of(st.none(), st.integers(0, 127)),
        overflow=overflows,
        downsample=downsamplings,
    ),
)
def test_a_density_is_the_balance_of_its_events(events: Events, config: MixedDensity) -> None:
    image = config.build(HEIGHT, WIDTH)(events)

    np.testing.assert_array_equal(image, slow_density(events, config))


@pytest.fixture(params=kinds(representations.__name__))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize(
    ("downsample", "size"),
    [
        ("nearest", (HEIGHT // 2, WIDTH // 2)),
        ("sum", (HEIGHT // 2, WIDTH // 2)),
        (None, (HEIGHT, WIDTH)),
    ],
)
def test_a_window_without_events_is_an_image_of_zeros(
    kind: str, size: tuple[int, int], downsample: str | None
) -> None:
    config = RepresentationConfig.model_validate({"kind": kind, "downsample": downsample})
    represent = config.build(HEIGHT, WIDTH)

    image = represent(events_of([]))

    assert image.shape == (represent.channels, represent.height, represent.width)
    assert (represent.channels, (represent.height, represent.width)) == (config.channels, size)
    assert image.dtype == represent.dtype
    assert not image.any()


def test_an_image_is_not_changed_by_the_next_one(kind: str) -> None:
    represent = RepresentationConfig.model_validate({"kind": kind}).build(HEIGHT, WIDTH)
    first = represent(events_of([(1, 1, 0, 1)]))
    before = first.copy()

    represent(events_of([(3, 3, 0, 1)]))

    np.testing.assert_array_equal(first, before)


def test_a_buffer_shows_the_last_events_alone(kind: str) -> None:
    represent = RepresentationConfig.model_validate({"kind": kind}).build(HEIGHT, WIDTH)
    buffer = represent.buffer()

    for events in ([(1, 1, 0, 1), (3, 5, 9, 0)], [(3, 3, 0, 1)], []):
        represent.draw(events_of(events), buffer)

        np.testing.assert_array_equal(buffer.image, represent(events_of(events)))


def test_a_representation_that_rvt_does_not_have_has_a_name_of_its_own(kind: str) -> None:
    windows = WindowConfig.model_validate({"kind": "regular"})
    names = {
        RepresentationConfig.model_validate({"kind": kind, "downsample": way}).name(windows)
        for way in ("nearest", "sum")
    }

    assert len(names) == 2


def test_settings_survive_being_written_and_read(kind: str) -> None:
    config = RepresentationConfig.model_validate({"kind": kind, "downsample": "sum"})
    content = config.model_dump(mode="json", serialize_as_any=True)

    assert RepresentationConfig.model_validate(content) == config

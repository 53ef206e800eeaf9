"""Threads that compress images, when something goes wrong."""

import inspect
import sys
from collections.abc import Generator
from contextlib import closing
from queue import SimpleQueue

import numpy as np
import pytest
from numcodecs import blosc

from etram_pipeline.core.recording import Events
from etram_pipeline.events.image_buffer import ImageBuffer
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.representations.stacked_histogram import Config
from etram_pipeline.stores.compression import compress


def make_buffer() -> ImageBuffer:
    return ImageBuffer(np.zeros((2, 8, 8), np.uint8))


def draw_forever() -> Generator[ImageBuffer, None, None]:
    while True:
        yield make_buffer()


def test_without_a_compressor_buffers_are_given_back_for_someone_waits_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "numcodecs", None)
    buffer = make_buffer()
    buffer.home = SimpleQueue()

    with pytest.raises(ImportError):
        list(compress([buffer], "archive"))

    assert buffer.home.get_nowait() is buffer


def test_who_stops_early_stops_the_drawing() -> None:
    drawing = draw_forever()
    with closing(compress(drawing, "training")) as chunks:
        next(chunks)

    assert inspect.getgeneratorstate(drawing) == inspect.GEN_CLOSED


def compress_one(buffer: ImageBuffer) -> bytes:
    (chunk,) = compress([buffer], "archive")
    return chunk.content


@pytest.mark.parametrize("overflow", ["saturate", "wrap"])
@pytest.mark.parametrize("max_count", [10, None])
@pytest.mark.parametrize("size", [(64, 96), (515, 513)])
@pytest.mark.parametrize("num_events", [0, 1, 3000, 600_000])
def test_a_buffer_is_blank_after_its_image_was_compressed_in_any_way(
    overflow: str, max_count: int | None, size: tuple[int, int], num_events: int
) -> None:
    height, width = size
    config = Config.model_validate({"overflow": overflow, "max_count": max_count})
    represent = config.build(height, width)
    buffer = represent.buffer()
    rng = np.random.default_rng(num_events)
    for _ in range(2):
        events = Events(
            # Most events at one pixel, which is then above what a sparse image may hold.
            x=np.where(rng.random(num_events) < 0.5, 41, rng.integers(0, width, num_events)).astype(
                np.uint16
            ),
            y=np.where(
                rng.random(num_events) < 0.5, 33, rng.integers(0, height, num_events)
            ).astype(np.uint16),
            t_us=np.sort(rng.integers(0, 50_000, num_events)),
            polarity=rng.integers(0, 2, num_events).astype(np.uint8),
        )
        represent.draw(events, buffer)
        wanted = buffer.image.copy()
        np.testing.assert_array_equal(wanted, represent(events))
        found = np.frombuffer(blosc.decompress(compress_one(buffer)), np.uint8)
        np.testing.assert_array_equal(found.reshape(wanted.shape), wanted)
        assert not buffer.image.any()


def test_an_image_of_signed_sums_is_compressed() -> None:
    image = np.random.default_rng(0).integers(-128, 128, (2, 8, 8)).astype(np.int8)
    found = np.frombuffer(blosc.decompress(compress_one(ImageBuffer(image.copy()))), np.int8)
    np.testing.assert_array_equal(found.reshape(image.shape), image)


@pytest.mark.parametrize("kind", ["vtei", "voxel_grid", "time_surface"])
def test_a_large_image_of_any_kind_is_compressed_and_blank_after_that(kind: str) -> None:
    represent = RepresentationConfig.model_validate({"kind": kind}).build(1440, 1280)
    rng = np.random.default_rng(0)
    events = Events(
        x=rng.integers(0, 1280, 5000).astype(np.uint16),
        y=rng.integers(0, 1440, 5000).astype(np.uint16),
        t_us=np.sort(rng.integers(0, 50_000, 5000)),
        polarity=rng.integers(0, 2, 5000).astype(np.uint8),
    )
    buffer = represent.buffer()
    represent.draw(events, buffer)
    wanted = buffer.image.copy()

    found = np.frombuffer(blosc.decompress(compress_one(buffer)), wanted.dtype)

    np.testing.assert_array_equal(found.reshape(wanted.shape), wanted)
    assert np.count_nonzero(wanted) > 1000
    assert not buffer.image.any()

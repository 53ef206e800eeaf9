"""Chunks that are written from cells, as every reader of Blosc's chunks sees them."""

from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  # makes HDF5 know the filter
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numcodecs import blosc

from etram_pipeline.stores.compression import filter_options
from etram_pipeline.stores.images import read_images
from etram_pipeline.stores.sparse_encoding import encode_sparse
from etram_pipeline.stores.zstandard_tables import make_tables

BLOCK = 2**17


def encode(image: np.ndarray) -> bytes | None:
    cells = np.flatnonzero(image).astype(np.uint32)
    return encode_sparse(cells, image[cells], image.size)


def scatter(
    size: int, *, share: float, largest: int, rng: np.random.Generator, clustered: bool = False
) -> np.ndarray:
    """An image some of whose bytes are not zero, all over it or in a few places."""
    is_set = rng.random(size) < share
    if clustered:
        is_set &= np.repeat(rng.random(-(-size // 1000)) < share, 1000)[:size]
    values = np.minimum(rng.geometric(0.5, size), largest).astype(np.uint8)
    values[: largest // 2] = rng.integers(1, largest + 1, len(values[: largest // 2]))
    return np.where(is_set, values, 0).astype(np.uint8)


def check(image: np.ndarray) -> None:
    content = encode(image)
    assert content is not None
    assert len(content) < image.size
    np.testing.assert_array_equal(np.frombuffer(blosc.decompress(content), np.uint8), image)


@given(
    clustered=st.booleans(),
    size=st.one_of(st.integers(2000, 3 * BLOCK), st.sampled_from([BLOCK, BLOCK + 1, 2 * BLOCK])),
    share=st.floats(0, 0.1),
    largest=st.integers(1, 128),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=80, deadline=None)
def test_what_is_written_is_what_is_read(
    *, clustered: bool, size: int, share: float, largest: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    check(scatter(size, share=share, largest=largest, rng=rng, clustered=clustered))


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 128)), max_size=40))
@settings(max_examples=80, deadline=None)
def test_gaps_of_any_length_are_kept(steps: list[tuple[int, int]]) -> None:
    image = np.zeros(sum(gap + 1 for gap, _ in steps) + 1000, np.uint8)
    cells = np.cumsum([gap + 1 for gap, _ in steps], dtype=int) - 1
    image[cells] = [value for _, value in steps]
    check(image)


@pytest.mark.parametrize("gap", [2**power + more for power in range(2, 17) for more in (-1, 0, 1)])
def test_long_gaps_are_kept_at_both_ends_of_a_block(gap: int) -> None:
    image = np.zeros(2 * BLOCK + 7, np.uint8)
    image[[gap, 2 * gap + 1, BLOCK - 1 - gap, BLOCK + gap, len(image) - 1]] = 1, 2, 3, 4, 5
    check(image)


def test_an_image_without_events_takes_a_few_bytes_for_each_block() -> None:
    image = np.zeros(20 * 360 * 640, np.uint8)
    check(image)
    assert len(encode(image) or b"") < 200


def test_a_dense_stretch_in_an_empty_image_is_written() -> None:
    image = np.zeros(4 * BLOCK, np.uint8)
    image[1000:90_000] = np.random.default_rng(0).integers(1, 11, 89_000)
    check(image)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.full(10_000, 1), "no zeros to repeat"),
        (np.random.default_rng(0).integers(0, 128, 300_000), "larger than before"),
        (np.eye(100).reshape(-1) * 129, "a value above 128"),
        (np.eye(100).reshape(-1) * 255, "a value above 128"),
        (np.zeros(10), "smaller than its header"),
        (np.zeros(0), "nothing at all"),
        (np.arange(40) % 2, "smaller than its header and what it holds"),
    ],
)
def test_others_are_left_to_a_general_compressor(image: np.ndarray, reason: str) -> None:
    assert encode(image.astype(np.uint8)) is None, reason


def test_hdf5_and_the_reader_of_images_read_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shape = 20, 48, 84
    size = int(np.prod(shape))
    images = np.stack([scatter(size, share=s, largest=10, rng=rng) for s in (0, 0.001, 0.01, 0.1)])
    images = images.reshape(4, *shape)
    path = tmp_path / "images.h5"
    options: dict[str, Any] = {"chunks": (1, *shape), **filter_options("archive")}
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", images.shape, np.uint8, **options)
        for number, image in enumerate(images):
            content = encode(image.reshape(-1))
            assert content is not None
            data.id.write_direct_chunk((number, 0, 0, 0), content)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["data"][:], images)
    found = np.empty_like(images)
    read_images(path, 0, found)
    np.testing.assert_array_equal(found, images)


def test_it_is_smaller_than_what_a_general_compressor_makes() -> None:
    image = scatter(20 * 180 * 320, share=0.003, largest=10, rng=np.random.default_rng(0))
    general = blosc.compress(image, b"zstd", 1, blosc.NOSHUFFLE, 2**20)
    assert len(encode(image) or b"") < len(general)


def test_tables_lead_from_every_state_to_one_that_holds_the_code() -> None:
    for table in make_tables()[:2]:
        assert sorted(table.states) == list(range(512, 1024))
        for code in range(len(table.extra_bits)):
            for state in (512, 777, 1023):
                width = (state + int(table.num_bits[code])) >> 16
                place = (state >> width) + int(table.first_state[code])
                assert 0 <= width <= 9
                assert 0 <= place < 512

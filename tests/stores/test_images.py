"""Reading images past HDF5."""

import pickle
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from etram_pipeline.core.errors import StoreError
from etram_pipeline.stores.images import _chunk_table, _identity, read_images

IMAGES = np.random.default_rng(0).poisson(0.1, (6, 4, 16, 24)).astype(np.uint8)
BLOSC: dict[str, Any] = {"chunks": (1, 4, 16, 24), **hdf5plugin.Blosc(cname="lz4")}
STORED = {
    "zstd": {"chunks": (1, 4, 16, 24), **hdf5plugin.Blosc(cname="zstd", shuffle=2)},
    "lz4": BLOSC,
    "not compressed": {"chunks": (1, 4, 16, 24)},
    "in one piece": {"chunks": None},
    "several in a chunk": {"chunks": (4, 4, 16, 24), **hdf5plugin.Blosc(cname="lz4")},
    "parts in a chunk": {"chunks": (1, 4, 16, 12), **hdf5plugin.Blosc(cname="lz4")},
    "another filter": {"chunks": (1, 4, 16, 24), "compression": "gzip"},
    "two filters": {**BLOSC, "fletcher32": True},
}
PAST_HDF5 = {"zstd", "lz4"}


def store(path: Path, images: np.ndarray = IMAGES, **options: Any) -> Path:  # noqa: ANN401
    path.unlink(missing_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=images, **options or BLOSC)
    return path


def read(path: Path, start: int = 0, stop: int = 6, like: np.ndarray = IMAGES) -> np.ndarray:
    images = np.full((stop - start, *like.shape[1:]), 99, like.dtype)
    read_images(path, start, images)
    return images


@pytest.mark.parametrize("how", STORED)
def test_images_are_read_however_they_are_stored(how: str, tmp_path: Path) -> None:
    path = store(tmp_path / "images.h5", **STORED[how])
    np.testing.assert_array_equal(read(path), IMAGES)
    np.testing.assert_array_equal(read(path, 2, 5), IMAGES[2:5])
    assert read(path, 3, 3).shape == (0, 4, 16, 24)
    with path.open("rb") as file:
        table = _chunk_table(path, _identity(file), IMAGES.shape[1:], IMAGES.dtype)
    assert (table is not None) == (how in PAST_HDF5)


def test_signed_images_are_read(tmp_path: Path) -> None:
    signed = (IMAGES.astype(int) - 5).astype(np.int8)
    path = store(tmp_path / "images.h5", signed)
    np.testing.assert_array_equal(read(path, like=signed), signed)


def test_images_that_were_never_written_are_zero(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "images.h5", "w") as file:
        data = file.create_dataset("data", IMAGES.shape, np.uint8, **BLOSC)
        data[2] = IMAGES[2]
    found = read(tmp_path / "images.h5")
    np.testing.assert_array_equal(found[2], IMAGES[2])
    assert not found[[0, 1, 3, 4, 5]].any()


def test_a_chunk_that_skipped_the_filter_is_read(tmp_path: Path) -> None:
    path = store(tmp_path / "images.h5")
    with h5py.File(path, "a") as file:
        plain = np.ascontiguousarray(IMAGES[5]).tobytes()
        file["data"].id.write_direct_chunk((1, 0, 0, 0), plain, filter_mask=1)
    np.testing.assert_array_equal(read(path)[1], IMAGES[5])


def test_images_are_read_into_a_lane_of_a_batch(tmp_path: Path) -> None:
    batch = np.zeros((6, 3, *IMAGES.shape[1:]), np.uint8)
    read_images(store(tmp_path / "images.h5"), 0, batch[:, 1])
    np.testing.assert_array_equal(batch[:, 1], IMAGES)
    assert not batch[:, [0, 2]].any()


def test_a_file_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    path = store(tmp_path / "images.h5")
    np.testing.assert_array_equal(read(path), IMAGES)
    store(tmp_path / "new.h5", IMAGES[::-1].copy()).replace(path)
    np.testing.assert_array_equal(read(path), IMAGES[::-1])


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (IMAGES[:3], "fewer windows than before"),
        (IMAGES[:, :, :8], r"images are uint8 \(4, 8, 24\), but were uint8 \(4, 16, 24\)"),
        (IMAGES.astype(np.int8), "images are int8"),
    ],
)
def test_a_file_that_no_longer_fits_is_refused(
    other: np.ndarray, reason: str, tmp_path: Path
) -> None:
    options = {**BLOSC, "chunks": (1, *other.shape[1:])}
    path = store(tmp_path / "images.h5", np.ascontiguousarray(other), **options)
    with pytest.raises(StoreError, match=reason):
        read(path)


def damage(path: Path, change: Callable[[bytearray], None]) -> None:
    """Change the third chunk in place, and look as if nothing had happened."""
    with h5py.File(path) as file:
        info = file["data"].id.get_chunk_info(2)
    content = bytearray(path.read_bytes())
    chunk = content[info.byte_offset : info.byte_offset + info.size]
    change(chunk)
    content[info.byte_offset : info.byte_offset + info.size] = chunk
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[bytearray], None]] = {
    "zeros": lambda chunk: chunk.__setitem__(slice(None), bytes(len(chunk))),
    "says it is longer": lambda chunk: struct.pack_into("<I", chunk, 12, len(chunk) + 1000),
    "says it holds more": lambda chunk: struct.pack_into("<I", chunk, 4, 2 * IMAGES[0].nbytes),
    "says it holds less": lambda chunk: struct.pack_into("<I", chunk, 4, IMAGES[0].nbytes // 2),
    "other blocks": lambda chunk: struct.pack_into("<I", chunk, 16, 2**31 - 1),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_chunk_is_told_by_file_and_window(how: str, tmp_path: Path) -> None:
    path = store(tmp_path / "images.h5")
    damage(path, DAMAGES[how])
    np.testing.assert_array_equal(read(path, 0, 2), IMAGES[:2])
    with pytest.raises(StoreError, match=r"images\.h5 is damaged at windows 1 to 4; delete it"):
        read(path, 1, 4)


def test_a_file_that_was_cut_off_or_is_gone_is_told(tmp_path: Path) -> None:
    path = store(tmp_path / "images.h5")
    read(path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(StoreError, match="is damaged at windows 0 to 6"):
        read(path)
    path.unlink()
    with pytest.raises(StoreError, match="is damaged at windows 0 to 6"):
        read(path)


def test_a_file_that_says_it_has_images_without_end_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "images.h5", "w") as file:
        data = file.create_dataset("data", (2**40, *IMAGES.shape[1:]), np.uint8, **BLOSC)
        data[1] = IMAGES[1]
    np.testing.assert_array_equal(read(tmp_path / "images.h5", 1, 2), IMAGES[1:2])


def test_a_file_whose_structure_makes_no_sense_is_told(tmp_path: Path) -> None:
    path = tmp_path / "images.h5"
    with h5py.File(path, "w") as file:
        file.create_group("data")
    with pytest.raises(StoreError, match="is damaged at windows 0 to 6"):
        read(path)
    with h5py.File(store(path)) as file:
        address = file["data"].id.get_chunk_info(5).byte_offset
    content = path.read_bytes()
    # In the index, the number of an image lies a few words before the address of its chunk.
    at = content.index(struct.pack("<Q", address)) - 5 * 8
    assert struct.unpack_from("<Q", content, at) == (5,)
    path.write_bytes(content[:at] + struct.pack("<Q", 2**40) + content[at + 8 :])
    with pytest.raises(StoreError, match="is damaged at windows 0 to 6"):
        read(path)


def test_threads_and_processes_read_side_by_side(tmp_path: Path) -> None:
    path = store(tmp_path / "images.h5")
    read(path)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda start: read(path, start, start + 2), [0, 1, 2, 3, 4] * 20))
    for number, images in enumerate(found):
        np.testing.assert_array_equal(images, IMAGES[number % 5 : number % 5 + 2])
    with get_context("fork").Pool(2) as processes:
        for images in processes.map(_read_pickled, [pickle.dumps(path)] * 4):
            np.testing.assert_array_equal(images, IMAGES)


def _read_pickled(path: bytes) -> np.ndarray:
    return read(pickle.loads(path))

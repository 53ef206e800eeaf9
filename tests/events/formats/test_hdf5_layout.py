"""Columns read past HDF5, compared with what HDF5 reads, and damaged."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats import hdf5_layout
from etram_pipeline.events.formats.hdf5_layout import ColumnLayout, find_layout

VALUES = np.cumsum(np.random.default_rng(0).integers(0, 9, 1000))

READABLE: list[dict[str, Any]] = [
    {},
    {"chunks": (64,)},
    {"chunks": (64,), "compression": "gzip"},
    {"chunks": (64,), "compression": "gzip", "shuffle": True},
    {"chunks": (64,), "maxshape": (None,), "compression": "gzip", "compression_opts": 9},
]


def write(path: Path, dtype: str = "<i8", **options: Any) -> Path:  # noqa: ANN401  whatever h5py takes
    with h5py.File(path, "w") as file:
        file.create_dataset("t", data=VALUES.astype(dtype), **options)
    return path


def layout_of(path: Path) -> ColumnLayout | None:
    with h5py.File(path) as file:
        return find_layout(path, file["t"])


@contextmanager
def opened(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)


def read(layout: ColumnLayout, first: int, last: int) -> np.ndarray:
    rows = np.empty(last - first, layout.dtype)
    with opened(layout.path) as file:
        layout.fill(file, first, rows)
    return rows


@pytest.mark.parametrize("dtype", ["<i8", ">i8", "<u2", "i1"])
@pytest.mark.parametrize("options", READABLE)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ends=st.tuples(st.integers(0, 1000), st.integers(0, 1000)).map(sorted))
def test_any_rows_are_those_that_hdf5_reads(
    options: Mapping[str, Any], dtype: str, ends: list[int], tmp_path: Path
) -> None:
    path = write(tmp_path / "a.h5", dtype, **options)
    layout = layout_of(path)

    assert layout is not None
    np.testing.assert_array_equal(read(layout, *ends), VALUES.astype(dtype)[slice(*ends)])


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (64,), "compression": "lzf"},
        {"chunks": (64,), "compression": "gzip", "fletcher32": True},
        {"chunks": (64,), **hdf5plugin.Blosc()},
        {"chunks": (64,), **hdf5plugin.Zstd()},
    ],
)
def test_what_is_compressed_otherwise_is_left_to_hdf5(
    options: Mapping[str, Any], tmp_path: Path
) -> None:
    assert layout_of(write(tmp_path / "a.h5", **options)) is None


def test_chunks_too_large_to_inflate_for_a_few_rows_are_left_to_hdf5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.h5", chunks=(500,), compression="gzip")
    monkeypatch.setattr(hdf5_layout, "_MOST_CHUNK_ROWS", 499)

    assert layout_of(path) is None


def test_a_chunk_that_skipped_its_filter_is_left_to_hdf5(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", chunks=(500,), compression="gzip")
    with h5py.File(path, "a") as file:
        file["t"].id.write_direct_chunk((500,), VALUES[500:].astype("<i8").tobytes(), filter_mask=1)

    assert layout_of(path) is None


def test_values_that_fill_some_bits_only_are_left_to_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    kind = h5py.h5t.STD_U16LE.copy()
    kind.set_precision(12)
    kind.set_offset(4)
    with h5py.File(path, "w") as file:
        h5py.h5d.create(file.id, b"t", kind, h5py.h5s.create_simple((1000,)))
        file["t"][:] = VALUES % 4096

    assert layout_of(path) is None


def test_a_file_behind_foreign_bytes_is_left_to_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["t"] = VALUES

    assert layout_of(path) is None


def test_a_column_without_rows_has_nothing_to_read(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["t"] = np.empty(0, np.int64)
    layout = layout_of(path)

    assert layout is not None
    assert len(read(layout, 0, 0)) == 0


@pytest.mark.parametrize("options", READABLE[2:4])
def test_any_flipped_byte_of_a_compressed_chunk_is_told_with_its_place(
    options: Mapping[str, Any], tmp_path: Path
) -> None:
    path = write(tmp_path / "a.h5", **options)
    layout = layout_of(path)
    assert layout is not None
    begin, num_bytes = int(layout.offsets[3]), int(layout.num_bytes[3])
    sound = path.read_bytes()

    for place in range(num_bytes):
        damaged = bytearray(sound)
        damaged[begin + place] ^= 0xFF
        path.write_bytes(damaged)
        with pytest.raises(RecordingError, match=rf"rows 192 to 256 of events/t, at byte {begin}"):
            read(layout, 0, 1000)
    path.write_bytes(sound)
    np.testing.assert_array_equal(read(layout, 0, 1000), VALUES)


@pytest.mark.parametrize("options", READABLE)
def test_a_file_that_ends_too_soon_is_told_with_the_place(
    options: Mapping[str, Any], tmp_path: Path
) -> None:
    path = write(tmp_path / "a.h5", **options)
    layout = layout_of(path)
    assert layout is not None
    end = int(layout.offsets[-1]) + 5
    os.truncate(path, end)

    with pytest.raises(RecordingError, match=rf"a\.h5: ends at byte {end}, within events/t"):
        read(layout, 0, 1000)


@pytest.mark.parametrize("content", [bytes(10**8), b""])
def test_a_chunk_never_becomes_more_than_it_should(content: bytes, tmp_path: Path) -> None:
    import zlib

    path = write(tmp_path / "a.h5", chunks=(1000,), compression="gzip")
    with h5py.File(path, "a") as file:
        file["t"].id.write_direct_chunk((0,), zlib.compress(content))
    layout = layout_of(path)

    assert layout is not None
    with pytest.raises(RecordingError, match=r"8000 are expected|its stated size"):
        read(layout, 0, 1000)

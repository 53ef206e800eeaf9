"""Writes Prophesee's HDF5 files with ECF chunks, straight from the description of the format.

Source: prophesee-ai/hdf5_ecf, ecf_codec.cpp. Slow and obvious; shares nothing with the reader.
"""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from etram_pipeline.core.recording import Events

PACKINGS = ("plain", "columns", "places")
CHUNK_EVENTS = 1000
FILTER = 0x8ECF


def write_ecf(path: Path, events: Events, size: tuple[int, int], packing: str = "") -> None:
    """A recording of chunks in one packing, or in each in turn."""
    with h5py.File(path, "w") as file:
        file.attrs["version"] = "1.0"
        file.attrs["geometry"] = f"{size[1]}x{size[0]}"
        dataset = create_dataset(file, len(events))
        for number, first in enumerate(range(0, len(events), CHUNK_EVENTS)):
            chunk = encode_chunk(
                events.slice(first, first + CHUNK_EVENTS), packing or PACKINGS[number % 3]
            )
            dataset.id.write_direct_chunk((first,), chunk)


def create_dataset(file: h5py.File, num_events: int) -> h5py.Dataset:
    """The dataset of events, compressed by a filter that HDF5 need not know."""
    row = np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk((CHUNK_EVENTS,))
    creation.set_filter(FILTER, h5py.h5z.FLAG_OPTIONAL)
    space = h5py.h5s.create_simple((num_events,), (h5py.h5s.UNLIMITED,))
    kind = h5py.h5t.py_create(row, logical=True)
    return h5py.Dataset(
        h5py.h5d.create(file.create_group("CD").id, b"events", kind, space, dcpl=creation)
    )


def encode_chunk(events: Events, packing: str) -> bytes:
    """A chunk of events."""
    x, y, t, p = (column.tolist() for column in (events.x, events.y, events.t_us, events.polarity))
    header = len(t) << 2 | PACKINGS.index(packing)
    content: bytes = header.to_bytes(4, "little") + t[0].to_bytes(8, "little") + _times(t)
    if packing == "places":
        places = [row << 12 | column << 1 | sign for row, column, sign in zip(y, x, p, strict=True)]
        return content + _groups(places, part_bits=8)
    content += b"".join(_run(row, length, 5, 2) for row, length in _runs(y))
    if packing == "columns":
        columns = [column << 1 | sign for column, sign in zip(x, p, strict=True)]
        return content + _groups(columns, part_bits=4)
    return content + _masks(x) + b"".join(_run(sign, length, 7, 1) for sign, length in _runs(p))


def _times(t: list[int]) -> bytes:
    content = b""
    now = t[0]
    for time, length in _runs(t):
        step = max(time - now, 0)  # times that decrease are lost
        now += step
        if step >= 15:
            while step:
                content += bytes([0xF0 | step & 15])
                step >>= 4
        content += bytes([step << 4 | min(length, 15)])
        if length >= 15:
            content += length.to_bytes(2, "little")
    return content


def _masks(x: list[int]) -> bytes:
    content, done = b"", 0
    while done < len(x):
        column = x[done]
        word, done = column << 5, done + 1
        for place in range(5):
            if done < len(x) and x[done] == column + place + 1:
                word, done = word | 16 >> place, done + 1
        content += word.to_bytes(2, "little")
    return content


def _run(value: int, length: int, length_bits: int, num_bytes: int) -> bytes:
    longest = (1 << length_bits) - 1
    word = (value << length_bits | min(length, longest)).to_bytes(num_bytes, "little")
    return word + (length.to_bytes(2, "little") if length >= longest else b"")


def _runs(values: list[int]) -> Iterator[tuple[int, int]]:
    first = 0
    for index in range(1, len(values) + 1):
        if index == len(values) or values[index] != values[first]:
            yield values[first], index - first
            first = index


def _groups(values: list[int], part_bits: int) -> bytes:
    """Four values of three parts in three words of four parts."""
    part = (1 << part_bits) - 1
    padded = values + [0] * (-len(values) % 4)
    content = b""
    for a, b, c, d in zip(*[iter(padded)] * 4, strict=True):
        words = (
            a << part_bits | b & part,
            b >> part_bits << 2 * part_bits | c & (part << part_bits | part),
            c >> 2 * part_bits << 3 * part_bits | d,
        )
        content += b"".join(word.to_bytes(part_bits // 2, "little") for word in words)
    return content

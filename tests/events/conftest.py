"""Recordings of every format, written by encoders that share nothing with the readers."""

from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  registers the filters that tests write with
import numpy as np
import pytest
from tests.events.formats.aedat4_writer import write_aedat4
from tests.events.formats.ecf_writer import write_ecf

from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.formats.encoding import Encoding, allocate

HEIGHT, WIDTH = 120, 160
_COMPRESSION = {"chunks": (5000,), "maxshape": (None,), "compression": "gzip"}

MakeEvents = Callable[..., Events]
Encode = Callable[[Events], bytes]
WriteRecording = Callable[[str, Events], Path]
Gather = Callable[..., Events]


def encode_evt2(events: Events) -> bytes:
    """Two words for each event: the high bits of its time, and the event."""
    x, y, t, p = (column.astype(np.int64) for column in _columns(events))
    words = np.stack([8 << 28 | t >> 6, p << 28 | (t & 63) << 22 | x << 11 | y], axis=1)
    return words.astype("<u4").tobytes()


def encode_evt21(events: Events, *, swapped: bool = False) -> bytes:
    """Two words for each event: the high bits of its time, and a vector of one event.

    The vector begins up to 31 columns left of the event.
    """
    x, y, t, p = (column.astype(np.int64) for column in _columns(events))
    base = np.maximum(x - t % 32, 0)
    time, place = 8 << 28 | t >> 6, p << 28 | (t & 63) << 22 | base << 11 | y
    halves = np.stack([np.zeros_like(t), time, 1 << x - base, place], axis=1).astype("<u4")
    if swapped:
        halves = halves[:, [1, 0, 3, 2]]
    return halves.tobytes()


def encode_evt21_legacy(events: Events) -> bytes:
    """EVT2.1 with the halves of its words swapped."""
    return encode_evt21(events, swapped=True)


def encode_evt3(events: Events) -> bytes:
    """Four words for each event: high and low bits of its time, its row, its column."""
    x, y, t, p = (column.astype(np.int64) for column in _columns(events))
    words = [0x8000 | t >> 12 & 0xFFF, 0x6000 | t & 0xFFF, y, 0x2000 | p << 11 | x]
    return np.stack(words, axis=1).astype("<u2").tobytes()


def encode_dat(events: Events) -> bytes:
    """One record for each event, after the type and the size of the records."""
    x, y, t, p = (column.astype(np.int64) for column in _columns(events))
    records = np.stack([t, p << 28 | y << 14 | x], axis=1)
    return bytes([12, 8]) + records.astype("<u4").tobytes()


HEADERS = {
    "evt2": f"% evt 2.0\n% geometry {WIDTH}x{HEIGHT}\n% end\n",
    "evt21": f"% format EVT21;endianness=little;height={HEIGHT};width={WIDTH}\n% end\n",
    "evt21_legacy": f"% evt 2.1\n% geometry {WIDTH}x{HEIGHT}\n% end\n",
    "evt3": f"% evt 3.0\n% format EVT3;height={HEIGHT};width={WIDTH}\n% end\n",
    "dat": f"% Data file containing CD events.\n% Version 2\n% Height {HEIGHT}\n% Width {WIDTH}\n",
}
ENCODERS: Mapping[str, Encode] = {
    "evt2": encode_evt2,
    "evt21": encode_evt21,
    "evt21_legacy": encode_evt21_legacy,
    "evt3": encode_evt3,
    "dat": encode_dat,
}
FORMATS = (
    *("hdf5", "hdf5_rows", "hdf5_table", "prophesee_hdf5", "ecf", "aedat4"),
    *("npz", "npz_compressed", "text"),
    *ENCODERS,
)
"""Formats that say the size of the sensor."""


def write_etram(path: Path, events: Events) -> None:
    """A column per dataset, chunks compressed by gzip as published recordings are."""
    with h5py.File(path, "w") as file:
        for name, values in zip("xytp", _columns(events), strict=True):
            file.create_dataset(f"events/{name}", data=values, **_COMPRESSION)
        file["events/height"], file["events/width"] = HEIGHT, WIDTH


def write_rows(path: Path, events: Events) -> None:
    """One dataset of whole events, their fields in an order of its own."""
    rows = np.empty(len(events), [("ts", "<u4"), ("pol", "i1"), ("y", "<u2"), ("x", "<i4")])
    for name, values in zip(("x", "y", "ts", "pol"), _columns(events), strict=True):
        rows[name] = values
    rows["pol"][events.polarity == 0] = -1
    with h5py.File(path, "w") as file:
        file.create_dataset("events", data=rows, **_COMPRESSION)
        file["height"], file["width"] = HEIGHT, WIDTH


def write_table(path: Path, events: Events) -> None:
    """Rows of t, x, y and p, where -1 has lost its sign, as v2e writes them."""
    x, y, t, p = (column.astype(np.int64) for column in _columns(events))
    table = np.stack([t, x, y, np.where(p, 1, -1)], axis=1).astype(np.uint32)
    with h5py.File(path, "w") as file:
        file.create_dataset("events", data=table, maxshape=(None, 4), compression="gzip")
        file["height"], file["width"] = HEIGHT, WIDTH


def write_npz(path: Path, events: Events, save: Callable[..., None] = np.savez) -> None:
    """An array for each column, beside the size of the sensor."""
    x, y, t, p = _columns(events)
    with path.open("wb") as file:
        save(file, x=x, y=y, t=t, p=p.astype(bool), height=HEIGHT, width=WIDTH)


def write_npy(path: Path, events: Events) -> None:
    """A structured array, which does not say the size of the sensor."""
    rows = np.empty(len(events), [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "<i2")])
    for name, values in zip("xytp", _columns(events), strict=True):
        rows[name] = values
    with path.open("wb") as file:
        np.save(file, rows)


def write_text(path: Path, events: Events) -> None:
    """A line for each event, its time in seconds."""
    x, y, t, p = (column.tolist() for column in _columns(events))
    lines = [
        f"{us // 10**6}.{us % 10**6:06d} {column} {row} {rise}"
        for column, row, us, rise in zip(x, y, t, p, strict=True)
    ]
    header = f"# unit: s\n# geometry {WIDTH}x{HEIGHT}\n"
    path.write_text(header + "".join(f"{line}\n" for line in lines))


def write_prophesee(path: Path, events: Events) -> None:
    """One dataset of whole events, chunks compressed by gzip."""
    rows = np.empty(len(events), [("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])
    for name, values in zip("xytp", _columns(events), strict=True):
        rows[name] = values
    with h5py.File(path, "w") as file:
        file.attrs["geometry"] = f"{WIDTH}x{HEIGHT}"
        file.create_dataset("CD/events", data=rows, **_COMPRESSION)


WRITERS: Mapping[str, Callable[[Path, Events], None]] = {
    "hdf5": write_etram,
    "hdf5_rows": write_rows,
    "hdf5_table": write_table,
    "npy": write_npy,
    "npz": write_npz,
    "npz_compressed": lambda path, events: write_npz(path, events, np.savez_compressed),
    "text": write_text,
    "prophesee_hdf5": write_prophesee,
    "ecf": lambda path, events: write_ecf(path, events, (HEIGHT, WIDTH)),
    "aedat4": lambda path, events: write_aedat4(path, events, (HEIGHT, WIDTH)),
}


def _columns(events: Events) -> tuple[np.ndarray, ...]:
    return events.x, events.y, events.t_us, events.polarity


def decode_words(encoding: Encoding, *stretches: list[int]) -> list[tuple[int, ...]]:
    """Time, x, y and polarity of the events in stretches of words that follow each other."""
    state = np.zeros(encoding.state_size, np.int64)
    found: list[tuple[int, ...]] = []
    for words in stretches:
        events = allocate(len(words) * encoding.events_per_word)
        count = encoding.decode(np.array(words, encoding.word), state, events)
        x, y, t_us, polarity = (array[:count].tolist() for array in events)
        found += zip(t_us, x, y, polarity, strict=True)
    return found


@pytest.fixture(params=FORMATS)
def file_format(request: pytest.FixtureRequest) -> str:
    """Each format in turn."""
    name: str = request.param
    return name


@pytest.fixture
def make_events() -> MakeEvents:
    """Makes seeded events inside a sensor of 120 rows and 160 columns."""

    def make(num: int = 2000, *, start_us: int = 5, stop_us: int = 100_000) -> Events:
        rng = np.random.default_rng(num)
        return Events(
            x=rng.integers(0, WIDTH, num).astype(np.uint16),
            y=rng.integers(0, HEIGHT, num).astype(np.uint16),
            t_us=np.sort(rng.integers(start_us, stop_us, num)),
            polarity=rng.integers(0, 2, num).astype(np.uint8),
        )

    return make


@pytest.fixture
def write_recording(tmp_path: Path) -> WriteRecording:
    """Writes a recording in one of the formats, with nothing in its name that would tell which."""

    def write(file_format: str, events: Events) -> Path:
        path = tmp_path / f"recording_{len(list(tmp_path.iterdir()))}"
        if file_format in WRITERS:
            WRITERS[file_format](path, events)
        else:
            path.write_bytes(HEADERS[file_format].encode() + ENCODERS[file_format](events))
        return path

    return write


@pytest.fixture
def gather() -> Gather:
    """Reads a stretch of a recording as one."""

    def read(recording: Recording, *span: int | None) -> Events:
        stretches = list(recording.read(*span))
        empty = np.empty(0, np.int64)
        return Events(
            x=np.concatenate([empty.astype(np.uint16), *(part.x for part in stretches)]),
            y=np.concatenate([empty.astype(np.uint16), *(part.y for part in stretches)]),
            t_us=np.concatenate([empty, *(part.t_us for part in stretches)]),
            polarity=np.concatenate([empty.astype(np.uint8), *(s.polarity for s in stretches)]),
            num_dropped=sum(part.num_dropped for part in stretches),
            num_late=sum(part.num_late for part in stretches),
        )

    return read

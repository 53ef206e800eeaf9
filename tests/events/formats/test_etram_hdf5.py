"""Recordings in eTraM's layout: reading every variant of it, and writing it."""

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import Events
from etram_pipeline.events.formats import etram_hdf5
from etram_pipeline.events.formats.etram_hdf5 import EtramRecording, write_etram_recording
from etram_pipeline.events.formats.hdf5_layout import ColumnLayout
from etram_pipeline.events.recording import open_recording

MakeEvents = Callable[..., Events]
Gather = Callable[..., Events]

HEIGHT, WIDTH = 120, 160
ETRAM_TYPES = {"x": "u2", "y": "u2", "p": "i2", "t": "i8"}


def write(
    path: Path,
    events: Events,
    types: Mapping[str, str] = ETRAM_TYPES,
    **options: Any,  # noqa: ANN401  whatever h5py takes
) -> Path:
    """Columns of given types; a signed polarity of one byte is -1 or 1."""
    falling = -1 if types["p"] == "i1" else 0
    polarity = np.where(events.polarity == 1, 1, falling)
    columns = {"x": events.x, "y": events.y, "p": polarity, "t": events.t_us}
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            data = values.astype(types[name])
            file.create_dataset(f"events/{name}", data=data, **options)
    return path


def assert_equal(found: Events, wanted: Events) -> None:
    for column in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(found, column), getattr(wanted, column))


@pytest.mark.parametrize(
    "types",
    [
        ETRAM_TYPES,
        {"x": "u2", "y": "u2", "p": "u1", "t": "u4"},
        {"x": "i2", "y": "i2", "p": "i1", "t": "u8"},
        {"x": "i8", "y": "i4", "p": "?", "t": "i4"},
        {"x": ">u2", "y": ">i4", "p": ">i2", "t": ">i8"},
    ],
)
def test_columns_may_be_of_any_integer_type(
    types: Mapping[str, str], tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    events = make_events()
    path = write(tmp_path / "recording", events, types)

    assert_equal(gather(open_recording(path, size=(HEIGHT, WIDTH))), events)


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (300,), "compression": "gzip", "shuffle": True},
        {"chunks": (300,), "compression": "lzf"},
        {"chunks": (300,), **hdf5plugin.Blosc()},
        {"chunks": (300,), **hdf5plugin.Blosc2()},
        {"chunks": (300,), **hdf5plugin.Zstd()},
        {"chunks": (300,), **hdf5plugin.Bitshuffle()},
    ],
    ids=["gzip", "lzf", "blosc", "blosc2", "zstd", "bitshuffle"],
)
def test_columns_may_be_compressed_by_any_filter(
    options: Mapping[str, Any], tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    events = make_events()
    path = write(tmp_path / "recording", events, **options)

    recording = open_recording(path, size=(HEIGHT, WIDTH))

    assert_equal(gather(recording), events)
    assert (recording.start_us, recording.stop_us) == (events.t_us[0], events.t_us[-1] + 1)


@pytest.mark.parametrize("dtype", ["<u8", ">u8"])
def test_a_time_too_large_to_count_with_is_refused(dtype: str, tmp_path: Path) -> None:
    path = tmp_path / "recording"
    with h5py.File(path, "w") as file:
        for name in "xyp":
            file[f"events/{name}"] = np.zeros(3, np.uint8)
        file["events/t"] = np.array([1, 2, 2**63], dtype)

    with pytest.raises(RecordingError, match="time 9223372036854775808 us, but the largest"):
        list(open_recording(path).read())


def test_without_any_size_it_is_that_of_the_reference_and_said_so(
    tmp_path: Path, make_events: MakeEvents, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "recording", make_events())

    with caplog.at_level(logging.INFO):
        recording = open_recording(path)

    assert (recording.height, recording.width) == (720, 1280)
    assert f"{path}: does not give the size of the sensor; taking 720 rows" in caplog.text


def test_the_given_size_counts_where_the_file_has_none(
    tmp_path: Path, make_events: MakeEvents, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "recording", make_events())

    with caplog.at_level(logging.INFO):
        recording = open_recording(path, size=(3, 4))

    assert (recording.height, recording.width) == (3, 4)
    assert not caplog.text


def test_asking_for_the_span_reads_the_ends_of_the_file_only(
    tmp_path: Path, make_events: MakeEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = open_recording(write(tmp_path / "a", make_events(50_000), chunks=(1000,)))
    fill = ColumnLayout.fill
    num_rows = []

    def count(self: ColumnLayout, file: int, first: int, rows: np.ndarray) -> None:
        num_rows.append(len(rows))
        fill(self, file, first, rows)

    monkeypatch.setattr(ColumnLayout, "fill", count)
    _ = recording.start_us, recording.stop_us, recording.num_events

    assert sum(num_rows) < 2 * 2**14 + 1000 + 1


def test_the_end_is_that_of_the_last_times_in_the_file(
    tmp_path: Path, make_events: MakeEvents
) -> None:
    events = make_events(20_000)
    events.t_us[-2000] = 200_000
    recording = open_recording(write(tmp_path / "late", events, chunks=(1000,)))
    assert recording.stop_us == 200_001

    events.t_us[7] = 10**12
    spiked = open_recording(write(tmp_path / "spiked", events, chunks=(1000,)))
    assert spiked.stop_us == 200_001


def test_the_times_before_a_stretch_are_passed_over_once(
    tmp_path: Path, make_events: MakeEvents, gather: Gather, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(etram_hdf5, "_BLOCK_EVENTS", 1000)
    events = make_events(20_000)
    events.t_us[5000] = 60_000
    recording = open_recording(write(tmp_path / "recording", events), size=(HEIGHT, WIDTH))
    fresh = gather(recording, 80_000, 90_000)
    fill = ColumnLayout.fill
    first_rows = []

    def note(self: ColumnLayout, file: int, first: int, rows: np.ndarray) -> None:
        first_rows.append(first)
        fill(self, file, first, rows)

    monkeypatch.setattr(ColumnLayout, "fill", note)
    known = gather(recording, 80_000, 90_000)
    assert_equal(known, fresh)
    assert min(first_rows) >= 15_000

    times_us = np.maximum.accumulate(events.t_us)
    raised = gather(recording, 60_000, 60_001)
    assert len(raised) == np.count_nonzero(times_us == 60_000)
    assert raised.num_late == np.count_nonzero((times_us == 60_000) & (events.t_us < 60_000))


def test_a_chunk_larger_than_the_usual_cache_is_decompressed_once(
    tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    events = make_events(600_000)
    path = write(tmp_path / "recording", events, chunks=(600_000,), compression="gzip")
    recording = open_recording(path, size=(HEIGHT, WIDTH))

    assert_equal(gather(recording), events)
    assert isinstance(recording, EtramRecording)
    assert recording._cache_bytes >= 600_000 * 8


def test_a_file_that_changed_since_it_was_opened_is_refused(
    tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    path = write(tmp_path / "recording", make_events(100))
    recording = open_recording(path)
    write(path, make_events(60))

    with pytest.raises(RecordingError, match=r"has changed since it was opened; open it again"):
        gather(recording)


def test_what_is_written_is_read_back(
    tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    first = make_events(40_000, stop_us=50_000)
    last = make_events(3, start_us=50_000)
    path = tmp_path / "new" / "day_td.h5"

    write_etram_recording(path, iter([first, first.slice(0, 0), last]), HEIGHT, WIDTH)

    recording = open_recording(path)
    assert (recording.height, recording.width, recording.num_events) == (HEIGHT, WIDTH, 40_003)
    found = gather(recording)
    assert_equal(found.slice(0, 40_000), first)
    assert_equal(found.slice(40_000, 40_003), last)


def test_the_layout_is_that_of_etram(tmp_path: Path, make_events: MakeEvents) -> None:
    write_etram_recording(tmp_path / "a", iter([make_events()]), HEIGHT, WIDTH)

    with h5py.File(tmp_path / "a") as file:
        assert {name: file["events"][name].dtype for name in "xypt"} == ETRAM_TYPES
        assert all(file["events"][name].compression == "gzip" for name in "xypt")
        assert (file["events/height"][()], file["events/width"][()]) == (HEIGHT, WIDTH)


def test_the_same_events_make_the_same_bytes(tmp_path: Path, make_events: MakeEvents) -> None:
    for name in "ab":
        write_etram_recording(tmp_path / name, iter([make_events()]), HEIGHT, WIDTH)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_source_that_fails_leaves_the_former_file(
    tmp_path: Path, make_events: MakeEvents
) -> None:
    path = tmp_path / "a"
    write_etram_recording(path, iter([make_events()]), HEIGHT, WIDTH)
    before = path.read_bytes()

    def fail() -> Iterator[Events]:
        yield make_events(5)
        raise RuntimeError("the sensor melted")

    with pytest.raises(RuntimeError, match="melted"):
        write_etram_recording(path, fail(), HEIGHT, WIDTH)

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_is_full_is_an_error_and_no_crash(tmp_path: Path) -> None:
    code = f"""
import resource
from pathlib import Path
import numpy as np
from etram_pipeline.core.files import is_out_of_space
from etram_pipeline.events.formats.etram_hdf5 import write_etram_recording
from etram_pipeline.core.recording import Events

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
noise = np.random.default_rng(0).integers(0, 2**15, 7000).astype(np.uint16)
events = Events(noise, noise, np.arange(7000), noise.astype(np.uint8))
for _ in range(2):
    try:
        write_etram_recording(Path({str(tmp_path)!r}) / "a", iter([events] * 20), 720, 1280)
    except (OSError, RuntimeError) as error:
        print(is_out_of_space(error))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "True\nTrue\n"), done.stderr
    assert list(tmp_path.iterdir()) == []

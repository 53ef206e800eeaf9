"""Times go on where a counter begins anew, wherever the stretches are cut."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.events.conftest import Gather

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats import etram_hdf5, table
from etram_pipeline.events.formats.counter import TimeColumn
from etram_pipeline.events.recording import open_recording

LOOP_US = 2**32


def read(counts: np.ndarray, cuts: tuple[int, ...] = (), unit: str = "us") -> list[int]:
    column = TimeColumn(Path("recording"), "t", counts.dtype, unit)
    state, found = column.start, []
    for part in np.split(counts, cuts):
        times_us, state = column.read(part, state)
        found += times_us.tolist()
    return found


@settings(deadline=None)
@given(
    start=st.integers(0, LOOP_US - 1),
    steps=st.lists(st.integers(-(2**20), 2**31 - 1), min_size=1, max_size=40),
    cuts=st.lists(st.integers(0, 41), max_size=5).map(sorted),
    dtype=st.sampled_from(["<u4", ">u4", "<i4"]),
)
def test_any_steps_of_less_than_half_a_loop_are_followed(
    start: int, steps: list[int], cuts: list[int], dtype: str
) -> None:
    times_us = start + np.cumsum([0, *steps])
    counts = times_us.astype(np.uint32)

    found = np.array(read(counts.view("i4" if "i" in dtype else "u4").astype(dtype), (*cuts,)))

    np.testing.assert_array_equal(np.diff(found), steps)
    assert found[0] in {start, start - LOOP_US}


def test_events_in_the_wrong_order_are_no_new_beginning() -> None:
    counts = np.array([1000, 2**31 - 1, 500, 4_000_000_000, 1001], np.uint32)

    assert read(counts) == [1000, 2**31 - 1, 500, 4_000_000_000 - LOOP_US, 1001]


@pytest.mark.parametrize("bits", [31, 32])
@pytest.mark.parametrize("dtype", ["<i8", ">u8"])
def test_a_counter_that_begins_anew_in_a_wider_column_is_refused(dtype: str, bits: int) -> None:
    counts = ((2**bits - 50_000 + 100 * np.arange(1000)) % 2**bits).astype(dtype)

    wanted = rf"t falls from {2**bits - 100} to 0, like a counter of {bits} bits .*add 2\*\*{bits}"
    with pytest.raises(RecordingError, match=wanted):
        read(counts)


@settings(deadline=None)
@given(
    start=st.sampled_from([0, 2**31 - 2000, 2**32 - 2000, 10**15]),
    steps=st.lists(st.integers(-1000, 10**9), min_size=1, max_size=40),
)
def test_a_wide_column_may_pass_those_numbers_in_any_disorder(start: int, steps: list[int]) -> None:
    times_us = start + np.cumsum([0, *steps])

    assert read(times_us) == times_us.tolist()


@pytest.mark.parametrize("dtype", ["u2", "i8", "u8"])
def test_only_counters_of_32_bits_begin_anew(dtype: str) -> None:
    counts = np.array([60_000, 3], dtype)

    assert read(counts) == [60_000, 3]


@pytest.mark.parametrize(("unit", "wanted"), [("ns", 1), ("us", 1999), ("ms", 1_999_000)])
def test_the_unit_in_the_name_of_a_column_counts(unit: str, wanted: int) -> None:
    assert read(np.array([1999], np.int64), unit=unit) == [wanted]


def test_a_time_beyond_all_counting_is_refused() -> None:
    with pytest.raises(RecordingError, match="recording: t contains the time"):
        read(np.array([2**62], np.int64), unit="s")


@pytest.mark.parametrize("layout", ["columns", "rows"])
@pytest.mark.parametrize("start_us", [LOOP_US - 50_000, LOOP_US // 2, 0])
def test_a_recording_goes_on_however_it_is_read(
    layout: str,
    start_us: int,
    tmp_path: Path,
    gather: Gather,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(etram_hdf5, "_BLOCK_EVENTS", 100)
    monkeypatch.setattr(table, "BLOCK_EVENTS", 100)
    steps_us = np.full(1000, 100)
    steps_us[300:320] = 2**31 - 10  # ten loops
    times_us = start_us + np.cumsum(steps_us)
    path = tmp_path / "recording.h5"
    with h5py.File(path, "w") as file:
        counts = (times_us % LOOP_US).astype(np.uint32)
        if layout == "columns":
            for name in "xyp":
                file[f"events/{name}"] = np.ones(1000, np.uint8)
            file.create_dataset("events/t", data=counts, chunks=(70,), compression="gzip")
        else:
            rows = np.stack([counts, *np.ones((3, 1000), np.uint32)], axis=1)
            file.create_dataset("events", data=rows, chunks=(70, 4))

    recording = open_recording(path)
    span_us = (recording.start_us, recording.stop_us)
    whole = gather(recording).t_us
    index = tmp_path / "index"

    assert span_us == (times_us[0], times_us[-1] + 1)
    np.testing.assert_array_equal(whole, times_us)
    for handle in (recording, *(open_recording(path, index=index) for _ in range(2))):
        for first, last in ((700, 720), (5, 310), (299, 302)):
            found = gather(handle, int(times_us[first]), int(times_us[last]))
            np.testing.assert_array_equal(found.t_us, times_us[first:last])


def test_four_columns_of_32_bits_from_the_end_of_a_loop(tmp_path: Path, gather: Gather) -> None:
    path = tmp_path / "recording.h5"
    with h5py.File(path, "w") as file:
        for name in "xyp":
            file[f"events/{name}"] = np.ones(1000, np.uint8)
        times_us = LOOP_US - 50_000 + 100 * np.arange(1000)
        file["events/t"] = (times_us % LOOP_US).astype("u4")

    found = gather(open_recording(path))

    assert found.t_us[-1] == LOOP_US + 49_900
    assert found.num_late == 0

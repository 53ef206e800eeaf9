"""DAT files, written here byte by byte."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import Events
from etram_pipeline.events.recording import open_recording

Gather = Callable[..., Events]

HEADER = "% Data file containing N9Chronocam7Event2dE events.\n% Version 2\n% Date 2017-10-31\n"
SIZE = (240, 304)
LOOP_US = 1 << 32


def write_dat(
    folder: Path,
    records: list[tuple[int, int]],
    *,
    header: str = HEADER,
    kind: tuple[int, ...] = (12, 8),
) -> Path:
    path = folder / "recording"
    data = np.array(records, "<u4").tobytes()
    path.write_bytes(header.encode() + bytes(kind) + data)
    return path


@pytest.mark.parametrize("kind", [(0, 8), (12, 8)])
def test_a_record_packs_x_y_and_polarity_into_one_word(
    kind: tuple[int, int], tmp_path: Path, gather: Gather
) -> None:
    records = [(5, 1 << 28 | 239 << 14 | 303), (6, 7 << 14 | 8)]

    events = gather(open_recording(write_dat(tmp_path, records, kind=kind), size=SIZE))

    assert events.x.tolist() == [303, 8]
    assert events.y.tolist() == [239, 7]
    assert events.t_us.tolist() == [5, 6]
    assert events.polarity.tolist() == [1, 0]


def test_the_counter_of_32_bits_beginning_anew_goes_on_in_time(
    tmp_path: Path, gather: Gather
) -> None:
    times_us = [0xFFFF_FFF0, 4, 0x7000_0000, 0xE000_0000, 0x1000_0000]

    events = gather(open_recording(write_dat(tmp_path, [(t, 0) for t in times_us]), size=SIZE))

    first, *rest = times_us
    wanted = [first, *(LOOP_US + time_us for time_us in rest[:-1]), 2 * LOOP_US + rest[-1]]
    assert events.t_us.tolist() == wanted


def test_times_go_on_over_the_border_of_a_block(tmp_path: Path, gather: Gather) -> None:
    steps_us = np.full(300_000, 20_000, np.int64)
    times_us = np.cumsum(steps_us)
    records = np.stack([times_us % LOOP_US, np.zeros_like(times_us)], axis=1)

    path = write_dat(tmp_path, [])
    path.write_bytes(path.read_bytes() + records.astype("<u4").tobytes())

    np.testing.assert_array_equal(gather(open_recording(path, size=SIZE)).t_us, times_us)


def test_one_record_out_of_order_does_not_start_a_new_loop(tmp_path: Path, gather: Gather) -> None:
    times_us = [1000, 1002, 0xFFFF_FFFF, 1003, 1001, 1004]

    events = gather(open_recording(write_dat(tmp_path, [(t, 0) for t in times_us]), size=SIZE))

    assert events.t_us.tolist() == [1000, 1002, 1002, 1003, 1003, 1004]
    assert events.num_late == 2


def test_without_a_size_the_parameter_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"recording.*dataset\.height and dataset\.width"):
        open_recording(write_dat(tmp_path, [(1, 1)]))


@pytest.mark.parametrize("kind", [(14, 8), (12, 16), (12,), ()])
def test_other_kinds_of_events_are_refused_with_the_place(
    kind: tuple[int, ...], tmp_path: Path
) -> None:
    path = write_dat(tmp_path, [], kind=kind)

    with pytest.raises(RecordingError, match=rf"recording: at byte {len(HEADER)} .*this file has"):
        open_recording(path, size=SIZE)


@pytest.mark.parametrize("version", ["0", "1"])
def test_before_version_2_places_took_fewer_bits(
    version: str, tmp_path: Path, gather: Gather
) -> None:
    header = HEADER.replace("Version 2", f"Version {version}")
    path = write_dat(tmp_path, [(5, 1 << 17 | 239 << 9 | 303), (6, 7 << 9 | 8)], header=header)

    events = gather(open_recording(path, size=SIZE))

    assert (events.x.tolist(), events.y.tolist()) == ([303, 8], [239, 7])
    assert events.polarity.tolist() == [1, 0]


def test_an_unknown_version_is_refused(tmp_path: Path) -> None:
    path = write_dat(tmp_path, [], header=HEADER.replace("Version 2", "Version 3"))

    with pytest.raises(RecordingError, match="version '3' is unknown; supported are 0, 1, 2"):
        open_recording(path, size=SIZE)


def test_an_incomplete_last_record_is_ignored_with_a_warning(
    tmp_path: Path, gather: Gather, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_dat(tmp_path, [(1, 1), (2, 2)])
    path.write_bytes(path.read_bytes()[:-3])

    with caplog.at_level(logging.WARNING):
        events = gather(open_recording(path, size=SIZE))

    assert len(events) == 1
    assert "last 5 bytes are an incomplete word" in caplog.text
    assert str(path) in caplog.text

"""From which moment the times of a recording are counted."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.raw_files import write_evt2, write_evt3, write_evt21

from etram_pipeline.core.recording import Clock, Events
from etram_pipeline.events.recording import open_recording

Gather = Callable[..., Events]
Write = Callable[[Path, Sequence[int]], Path]

FIRST_US = 6_437_104
"""Time of the first event in one of eTraM's files, which is 6 384 by the vendor's SDK."""
TIMES_US = [FIRST_US, FIRST_US + 700, FIRST_US + 5_000, FIRST_US + 300_000]


@pytest.mark.parametrize(
    ("write", "clock", "first_us"),
    [
        (write_evt3, "file", FIRST_US),
        (write_evt3, "sdk", 6_384),
        (write_evt3, "from_zero", 0),
        (write_evt2, "sdk", FIRST_US % 64),
        (write_evt2, "from_zero", 0),
        (write_evt21, "sdk", FIRST_US % 64),
    ],
)
def test_times_are_counted_from_the_moment_of_the_clock(
    tmp_path: Path, gather: Gather, write: Write, clock: Clock, first_us: int
) -> None:
    recording = open_recording(write(tmp_path / "a.raw", TIMES_US), clock=clock)

    assert recording.start_us == first_us
    assert recording.stop_us == first_us + 300_001
    assert gather(recording).t_us.tolist() == [first_us + t - FIRST_US for t in TIMES_US]
    part = gather(recording, first_us + 700, first_us + 5_001)
    assert (part.t_us - first_us).tolist() == [700, 5_000]


def test_the_first_step_of_an_evt3_clock_is_not_before_zero(tmp_path: Path) -> None:
    recording = open_recording(write_evt3(tmp_path / "a.raw", [100, 5_000]), clock="sdk")
    assert recording.start_us == 100


def test_an_index_belongs_to_a_clock(tmp_path: Path, gather: Gather) -> None:
    path, index = write_evt3(tmp_path / "a.raw", TIMES_US), tmp_path / "index"
    starts: list[tuple[Clock, int]] = [("file", FIRST_US), ("sdk", 6_384), ("file", FIRST_US)]
    for clock, first_us in starts:
        recording = open_recording(path, index=index, clock=clock)
        assert recording.stop_us == first_us + 300_001
        assert gather(recording, first_us + 1).t_us[0] == first_us + 700


@pytest.mark.parametrize(("clock", "first_us"), [("file", 5_000), ("sdk", 5_000), ("from_zero", 0)])
def test_other_files_than_raw_are_shifted_by_their_first_event_only(
    tmp_path: Path, gather: Gather, clock: Clock, first_us: int
) -> None:
    events = np.zeros(3, [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])
    events["t"] = 5_000, 6_000, 9_000
    np.save(tmp_path / "a.npy", events)
    recording = open_recording(tmp_path / "a.npy", size=(4, 4), clock=clock)
    assert (gather(recording).t_us - first_us).tolist() == [0, 1_000, 4_000]
    assert (recording.start_us, recording.stop_us) == (first_us, first_us + 4_001)

"""Recordings that NumPy wrote, and arrays that are none."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.events.conftest import HEIGHT, WIDTH, Gather, MakeEvents

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import Events
from etram_pipeline.events.formats.content import may_hold_events
from etram_pipeline.events.recording import open_recording
from etram_pipeline.labels.table import LABEL_DTYPE

SIZE = (HEIGHT, WIDTH)


def assert_equal(found: Events, wanted: Events) -> None:
    for column in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(found, column), getattr(wanted, column))


def columns_of(events: Events) -> dict[str, Any]:
    return {"t": events.t_us, "x": events.x, "y": events.y, "p": events.polarity}


@pytest.mark.parametrize("t_type", ["<i8", "<u4", ">u8", "<i4"])
@pytest.mark.parametrize("p_type", ["<i2", "i1", "?", "<u8"])
@pytest.mark.parametrize("order", ["txyp", "xypt", "pytx"])
def test_a_structured_array_is_read(
    t_type: str,
    p_type: str,
    order: str,
    tmp_path: Path,
    make_events: MakeEvents,
    gather: Gather,
) -> None:
    events = make_events(70_000)
    kinds = {"t": t_type, "x": "<u2", "y": "<u2", "p": p_type}
    rows = np.zeros(len(events), [(name, kinds[name]) for name in order])
    for name, values in columns_of(events).items():
        rows[name] = values
    np.save(tmp_path / "a.npy", rows)

    recording = open_recording(tmp_path / "a.npy", size=SIZE)

    assert_equal(gather(recording), events)
    assert max(len(part) for part in recording.read()) <= 2**16
    assert may_hold_events(tmp_path / "a.npy")


@pytest.mark.parametrize("is_transposed", [False, True])
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_table_of_four_columns_is_read_in_either_order_of_memory(
    suffix: str, *, is_transposed: bool, tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    events = make_events(70_000)
    table = np.stack(list(columns_of(events).values()), axis=1)
    table = np.asfortranarray(table) if is_transposed else table
    path = tmp_path / f"a.{suffix}"
    if suffix == "npy":
        np.save(path, table)
    else:
        np.savez_compressed(path, events=table, frames=np.zeros(3))

    recording = open_recording(path, size=SIZE)

    assert_equal(gather(recording), events)
    first, last = np.searchsorted(events.t_us, (90_000, 95_000))
    assert_equal(gather(recording, 90_000, 95_000), events.slice(int(first), int(last)))


def test_times_may_state_their_unit(
    tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    events = make_events(100)
    columns = columns_of(events)
    times_ns = 1000 * columns.pop("t")
    np.savez(tmp_path / "a.npz", t_ns=times_ns, **columns)
    np.savez(tmp_path / "b.npz", t=times_ns, unit="nanoseconds", **columns)

    assert_equal(gather(open_recording(tmp_path / "a.npz", size=SIZE)), events)
    assert_equal(gather(open_recording(tmp_path / "b.npz", size=SIZE)), events)


def test_labels_and_other_arrays_are_no_recordings(tmp_path: Path) -> None:
    np.save(tmp_path / "labels.npy", np.zeros(3, LABEL_DTYPE))
    np.save(tmp_path / "times.npy", np.arange(5))
    np.save(tmp_path / "objects.npy", np.array([{}, "a"], object), allow_pickle=True)
    np.savez(tmp_path / "frames.npz", frames=np.zeros((2, 3)))
    with zipfile.ZipFile(tmp_path / "texts.npz", "w") as archive:
        archive.writestr("a.txt", "a")

    for path in tmp_path.iterdir():
        assert not may_hold_events(path), path
        with pytest.raises(RecordingError, match=r"these are labels|holds no events|ZIP archive"):
            open_recording(path, size=SIZE)


@pytest.mark.parametrize(
    ("columns", "description"),
    [
        ({"t": np.zeros(3)}, "the column of t holds float64, but must hold integers"),
        ({"t": np.zeros(4, int)}, "holds no events"),
        ({"height": 720}, "a height of 720 and a width of None, but both"),
        ({"height": 0, "width": 5}, "a height of 0 and a width of 5, but both"),
    ],
)
def test_archives_that_contradict_themselves_are_refused(
    columns: dict[str, Any], description: str, tmp_path: Path
) -> None:
    whole: dict[str, Any] = {name: np.zeros(3, np.int64) for name in "txyp"}
    np.savez(tmp_path / "a.npz", **{**whole, **columns})

    with pytest.raises(RecordingError, match=description):
        open_recording(tmp_path / "a.npz", size=SIZE)


def test_without_a_size_the_parameter_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4), int))

    with pytest.raises(RecordingError, match=r"dataset\.height and dataset\.width"):
        open_recording(tmp_path / "a.npy")


def test_what_is_claimed_beyond_the_file_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4), int))
    content = (tmp_path / "a.npy").read_bytes()
    claimed = content.replace(b"(3, 4), }", b"(300000000000, 4), }")
    (tmp_path / "a.npy").write_bytes(claimed)

    with pytest.raises(RecordingError, match=r"should hold an array of 9600000000000 bytes"):
        open_recording(tmp_path / "a.npy", size=SIZE)

"""Columns that have no names, in orders that people write them in."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.events.conftest import HEIGHT, WIDTH, Gather, MakeEvents

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.fields import check_order
from etram_pipeline.events.recording import open_recording

SIZE = (HEIGHT, WIDTH)


def write_text(path: Path, table: np.ndarray) -> None:
    np.savetxt(path, table, fmt="%d", header="unit: us")


def write_npy(path: Path, table: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, table)


def write_by_columns(path: Path, table: np.ndarray) -> None:
    write_npy(path, np.asfortranarray(table))


def write_npz(path: Path, table: np.ndarray) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, events=table)


def write_hdf5(path: Path, table: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        file["davis/left/events"] = table


WRITERS = [write_text, write_npy, write_by_columns, write_npz, write_hdf5]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(("order", "number"), [("xytp", 3), ("xypt", 4), ("ytxp", 2)])
def test_times_that_do_not_come_first_are_told(
    write: Callable[[Path, np.ndarray], None],
    order: str,
    number: int,
    tmp_path: Path,
    make_events: MakeEvents,
    gather: Gather,
) -> None:
    events = make_events(5000)
    columns = {"t": events.t_us, "x": events.x, "y": events.y, "p": events.polarity}
    path = tmp_path / "recording"
    write(path, np.stack([columns[name] for name in order], axis=1).astype("u4"))

    with pytest.raises(RecordingError, match=rf"does not rise .*, and column {number} does; "):
        gather(open_recording(path, size=SIZE))

    write(path, np.stack(list(columns.values()), axis=1).astype("u4"))
    np.testing.assert_array_equal(gather(open_recording(path, size=SIZE)).x, events.x)


@given(
    num_events=st.integers(0, 200),
    disorder_us=st.integers(0, 20),
    start=st.sampled_from([0, 2**32 - 100]),
)
def test_times_that_come_first_are_never_doubted(
    num_events: int, disorder_us: int, start: int
) -> None:
    rng = np.random.default_rng(num_events)
    x, y, late = rng.integers(0, [[99], [99], [disorder_us + 1]], (3, num_events))
    # Without a new beginning, events may even be in the order of rows.
    y = np.sort(y) if start == 0 else y
    t = (start + np.arange(num_events) + late) % 2**32

    check_order(Path("a.npy"), [t, x, y, x % 2], "")

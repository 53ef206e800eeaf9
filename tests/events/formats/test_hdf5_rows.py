"""HDF5 files with one dataset of whole events, of fields or of four numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.events.conftest import HEIGHT, WIDTH, Gather, MakeEvents

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import Events
from etram_pipeline.events.recording import open_recording

SIZE = (HEIGHT, WIDTH)
UNSIGNED = ["u1", "u2", "u4", "u8"]


def assert_equal(found: Events, wanted: Events) -> None:
    for column in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(found, column), getattr(wanted, column))


def as_rows(events: Events, dtype: np.dtype[Any], names: dict[str, str]) -> np.ndarray:
    rows = np.zeros(len(events), dtype)
    values = {"x": events.x, "y": events.y, "t": events.t_us, "p": events.polarity}
    for column, name in names.items():
        rows[name] = values[column]
    return rows


def write(path: Path, place: str, data: object, **options: Any) -> Path:  # noqa: ANN401  whatever h5py takes
    with h5py.File(path, "w") as file:
        file.create_dataset(place, data=data, **options)
    return path


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    order=st.permutations("txyp"),
    t_name=st.sampled_from(["t", "ts", "timestamp", "timestamps", "time", "T"]),
    p_name=st.sampled_from(["p", "pol", "polarity"]),
    types=st.tuples(
        st.sampled_from(["<u4", "<i4", "<u8", ">i8"]),
        st.sampled_from(["<u2", "<i4", ">u8"]),
        st.sampled_from(["<u1", "<i2", "?", "<u4"]),
    ),
    place=st.sampled_from(["events", "events/events", "davis/data", "a/b/c"]),
    is_chunked=st.booleans(),
)
def test_fields_may_be_in_any_order_and_of_any_integer_type(  # noqa: PLR0913  each is a choice
    order: list[str],
    t_name: str,
    p_name: str,
    types: tuple[str, str, str],
    place: str,
    *,
    is_chunked: bool,
    tmp_path: Path,
    make_events: MakeEvents,
    gather: Gather,
) -> None:
    events = make_events(300)
    names = {"t": t_name, "x": "x", "y": "y", "p": p_name}
    kinds = {"t": types[0], "x": types[1], "y": types[1], "p": types[2]}
    dtype = np.dtype([(names[column], kinds[column]) for column in order])
    options = {"chunks": (70,), "compression": "gzip"} if is_chunked else {}
    path = write(tmp_path / "recording", place, as_rows(events, dtype, names), **options)

    assert_equal(gather(open_recording(path, size=SIZE)), events)


@pytest.mark.parametrize("dtype", UNSIGNED)
@pytest.mark.parametrize("layout", ["columns", "rows", "table", "npy", "npz"])
@pytest.mark.parametrize("falling", [-1, 0])
def test_minus_one_without_a_sign_is_falling(
    dtype: str, layout: str, falling: int, tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    events = make_events(500, stop_us=250)
    polarity = np.where(events.polarity, 1, falling).astype(dtype)
    if dtype == "u1" and layout == "table":
        events.x[:] %= 100
    columns: dict[str, Any] = {"t": events.t_us, "x": events.x, "y": events.y}
    path = tmp_path / "recording"
    if layout == "npz":
        with path.open("wb") as file:
            np.savez(file, **columns, p=polarity)
    elif layout == "columns":
        with h5py.File(path, "w") as file:
            for name, values in {**columns, "p": polarity}.items():
                file[f"events/{name}"] = values
    elif layout == "table":
        table = np.stack([each.astype(dtype) for each in (*columns.values(), polarity)], axis=1)
        write(path, "events", table, maxshape=(None, 4), compression="gzip")
    else:
        names = {name: name for name in "txyp"}
        fields = np.dtype([("t", "i8"), ("x", "u2"), ("y", "u2"), ("p", dtype)])
        rows = as_rows(events, fields, names)
        rows["p"] = polarity
        if layout == "rows":
            write(path, "events", rows)
        else:
            with path.open("wb") as file:
                np.save(file, rows)

    assert_equal(gather(open_recording(path, size=SIZE)), events)


@pytest.mark.parametrize("polarity", [[0, 255], [1, 254], [2, 1], [0, 1, 7, 255]])
def test_what_cannot_be_polarity_is_refused(polarity: list[int], tmp_path: Path) -> None:
    path = tmp_path / "recording"
    with h5py.File(path, "w") as file:
        for name in "txy":
            file[f"events/{name}"] = np.arange(len(polarity))
        file["events/p"] = np.array(polarity, np.uint8)

    with pytest.raises(
        RecordingError, match=r"polarity .*, but polarity must be 0 or 1, or -1 or 1"
    ):
        list(open_recording(path).read())


def test_rows_are_read_in_stretches_with_the_size_beside_them(
    tmp_path: Path, make_events: MakeEvents
) -> None:
    events = make_events(200_000)
    table = np.stack([events.t_us, events.x, events.y, events.polarity], axis=1).astype("u4")
    path = write(tmp_path / "recording", "v2e/events", table, chunks=(1000, 4))
    with h5py.File(path, "a") as file:
        file["v2e/height"], file["v2e/width"], file["t_offset"] = HEIGHT, WIDTH, 10**9

    recording = open_recording(path)

    assert (recording.height, recording.width) == SIZE
    assert max(len(part) for part in recording.read()) <= 2**16
    assert recording.start_us == 10**9 + events.t_us[0]


def drop_chunk(file: h5py.File) -> None:
    del file["events"]
    events = file.create_dataset("events", (10, 4), "u4", chunks=(4, 4))
    events[:4] = 1


def use(data: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file["events"]
        file["events"] = data

    return change


@pytest.mark.parametrize(
    ("change", "description"),
    [
        (drop_chunk, "events: only 1 of 3 chunks were ever written"),
        (use(np.zeros((10, 4))), "events holds float64, but must hold integers"),
        (use(np.zeros((4, 10), "u4")), r"`events` holds uint32 of shape \(4, 10\)"),
        (use(np.zeros((2, 3), [(n, "u4") for n in "txyp"])), "events is not a one-dim"),
        (use(np.zeros(3, [(n, "f4") for n in "txyp"])), "events holds .*must hold integers"),
        (use(np.zeros(3, [(n, "u4", 2) for n in "txyp"])), "events holds .*must hold integers"),
        (use(np.zeros(3, [("x", "u2"), ("t", "u4")])), r"`events` holds .* of shape \(3,\)"),
    ],
)
def test_other_rows_are_refused(
    change: Callable[[h5py.File], None], description: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "recording", "events", np.zeros((5, 4), "u4"))
    with h5py.File(path, "a") as file:
        change(file)

    with pytest.raises(RecordingError, match=description) as raised:
        open_recording(path)

    assert str(raised.value).startswith(f"{path}: ")

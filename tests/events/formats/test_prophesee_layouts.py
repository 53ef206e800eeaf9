"""HDF5 files that hold events of Prophesee in another way, and those that cannot be read."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.events.conftest import Gather, MakeEvents, WriteRecording

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.recording import open_recording

Change = Callable[[h5py.File], object]


def rewritten(**options: object) -> Change:
    def change(file: h5py.File) -> None:
        rows = file["CD/events"][()]
        del file["CD/events"]
        file.create_dataset("CD/events", data=rows, **options)

    return change


@pytest.mark.parametrize(
    "change",
    [
        rewritten(),
        rewritten(chunks=(7,)),
        rewritten(chunks=(1500,), compression="lzf", shuffle=True),
        rewritten(dtype=[("t", ">i8"), ("p", "u1"), ("y", ">u2"), ("x", "<i4"), ("id", "u1")]),
    ],
)
def test_other_filters_types_and_orders_of_fields_are_read(
    change: Change, make_events: MakeEvents, write_recording: WriteRecording, gather: Gather
) -> None:
    events = make_events()
    path = write_recording("prophesee_hdf5", events)
    with h5py.File(path, "a") as file:
        change(file)

    found = gather(open_recording(path))

    np.testing.assert_array_equal(found.t_us, events.t_us)
    np.testing.assert_array_equal(found.x, events.x)
    np.testing.assert_array_equal(found.polarity, events.polarity)


def test_a_counter_of_32_bits_and_polarities_without_a_sign_are_read_as_elsewhere(
    tmp_path: Path, gather: Gather
) -> None:
    rows = np.zeros(1000, [("x", "u2"), ("y", "u2"), ("p", "u1"), ("t", "u4")])
    rows["p"] = [1, 255] * 500
    rows["t"] = (2**32 - 50_000 + 100 * np.arange(1000)) % 2**32
    with h5py.File(tmp_path / "recording", "w") as file:
        file["CD/events"] = rows

    found = gather(open_recording(tmp_path / "recording", size=(720, 1280)))

    np.testing.assert_array_equal(found.t_us, 2**32 - 50_000 + 100 * np.arange(1000))
    np.testing.assert_array_equal(found.polarity, [1, 0] * 500)


@pytest.mark.parametrize("place", ["CD", "CD/events/{}"])
def test_a_group_of_this_name_may_hold_events_in_another_way(
    place: str, tmp_path: Path, gather: Gather
) -> None:
    columns = {name: np.arange(9) % 2 for name in "xyp"} | {"t": np.arange(9)}
    with h5py.File(tmp_path / "recording", "w") as file:
        if place == "CD":
            rows = np.zeros(9, [(name, "i8") for name in columns])
            for name, values in columns.items():
                rows[name] = values
            file[place] = rows
        else:
            for name, values in columns.items():
                file[place.format(name)] = values

    found = gather(open_recording(tmp_path / "recording", size=(720, 1280)))

    np.testing.assert_array_equal(found.t_us, np.arange(9))


def without_events(file: h5py.File) -> None:
    del file["CD/events"]


def with_a_group(file: h5py.File) -> None:
    del file["CD/events"]
    file.create_group("CD/events")


def never_written(file: h5py.File) -> None:
    dataset = file["CD/events"]
    dataset.resize((2**60,))


def never_written_at_all(file: h5py.File) -> None:
    kind = file["CD/events"].dtype
    del file["CD/events"]
    file.create_dataset("CD/events", (5,), kind)


def in_large_chunks(file: h5py.File) -> None:
    kind = file["CD/events"].dtype
    del file["CD/events"]
    file.create_dataset("CD/events", (1,), kind, maxshape=(None,), chunks=(2**27,))


def by_an_unknown_filter(file: h5py.File) -> None:
    kind = file["CD/events"].dtype
    del file["CD/events"]
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk((10,))
    creation.set_filter(60_000, h5py.h5z.FLAG_OPTIONAL)
    h5py.h5d.create(
        file["CD"].id,
        b"events",
        h5py.h5t.py_create(kind),
        h5py.h5s.create_simple((0,)),
        dcpl=creation,
    )


@pytest.mark.parametrize(
    ("change", "description"),
    [
        (without_events, "CD/events cannot be read"),
        (with_a_group, "not a one-dimensional dataset"),
        (rewritten(dtype=[("t", "f8"), ("p", "u1"), ("y", "u2"), ("x", "u2")]), "whole numbers"),
        (rewritten(dtype=[("t", "i8"), ("y", "u2"), ("x", "u2")]), "named x, y, p and t"),
        (never_written, r"only 1 of \d+ chunks of CD/events were ever written"),
        (never_written_at_all, r"only 0 of \d+ bytes of CD/events were ever written"),
        (in_large_chunks, r"chunks of \d+ bytes, but at most"),
        (by_an_unknown_filter, "filter 60000, which hdf5plugin does not have"),
    ],
)
def test_a_layout_that_cannot_be_read_is_described(
    change: Change, description: str, make_events: MakeEvents, write_recording: WriteRecording
) -> None:
    path = write_recording("prophesee_hdf5", make_events())
    with h5py.File(path, "a") as file:
        change(file)

    with pytest.raises(RecordingError, match=description) as raised:
        open_recording(path)

    assert str(raised.value).startswith(f"{path}: ")

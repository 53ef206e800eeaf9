"""HDF5 files that hold something else than whole columns of events."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import Events
from etram_pipeline.events.formats.hdf5_columns import open_columns

Change = Callable[[h5py.File], None]
Gather = Callable[..., Events]


def write_changed(folder: Path, change: Change) -> Path:
    """A small recording that `change` has spoilt."""
    path = folder / "recording.h5"
    with h5py.File(path, "w") as file:
        for name in "xypt":
            file[f"events/{name}"] = np.ones(10, np.int64)
        change(file)
    return path


def replace_column(name: str, values: object) -> Change:
    def change(file: h5py.File) -> None:
        del file[f"events/{name}"]
        file[f"events/{name}"] = values

    return change


def rename(old: str, new: str) -> Change:
    return lambda file: file.move(old, new)


def never_write(file: h5py.File) -> None:
    del file["events/t"]
    times = file.create_dataset("events/t", (10,), "i8", chunks=(4,))
    times[:4] = 7


def never_allocate(file: h5py.File) -> None:
    del file["events/x"]
    file.create_dataset("events/x", (10,), "u2")


def cut_chunk(filter_mask: int, **compression: object) -> Change:
    """Times in two chunks; the second is shorter than its values and uses none of the filters."""

    def change(file: h5py.File) -> None:
        del file["events/t"]
        times = file.create_dataset("events/t", (10,), "i8", chunks=(5,), **compression)
        times[:] = 7
        times.id.write_direct_chunk((5,), bytes(24), filter_mask)

    return change


def use_compound(file: h5py.File) -> None:
    del file["events"]
    file["events"] = np.zeros(3, [("x", "u2"), ("t", "i8")])


def empty(file: h5py.File) -> None:
    del file["events"]
    file["other"] = 7


def hold_two(file: h5py.File) -> None:
    file.move("events", "left")
    file.copy("left", "right")


def nest_column(file: h5py.File) -> None:
    file["events"].move("y", "z")
    file["events/y/y"] = np.ones(10, np.int64)


def add_size(height: object, width: object) -> Change:
    def change(file: h5py.File) -> None:
        for name, side in (("height", height), ("width", width)):
            if side is not None:
                file[f"events/{name}"] = side

    return change


def add_offset(offset_us: object) -> Change:
    return lambda file: file.update({"t_offset": offset_us})


def link_elsewhere(file: h5py.File) -> None:
    other = Path(file.filename).with_name("other.h5")
    with h5py.File(other, "w") as target:
        target["x"] = np.full(10, 7)
    del file["events/x"]
    file["events/x"] = h5py.ExternalLink(other, "x")


def compose_of_others(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((10,), "i8")
    layout[:5] = h5py.VirtualSource("missing.h5", "x", (5,))
    del file["events/x"]
    file["events"].create_virtual_dataset("x", layout)


def keep_elsewhere(file: h5py.File) -> None:
    values = Path(file.filename).with_name("values.bin")
    values.write_bytes(bytes(8))
    del file["events/x"]
    file.create_dataset("events/x", (10,), "i8", external=[(str(values), 0, h5py.h5f.UNLIMITED)])


@pytest.mark.parametrize(
    ("change", "description"),
    [
        (
            rename("events/p", "events/q"),
            r"`events` holds \['q', 't', 'x', 'y'\], but a recording has a group `events`",
        ),
        (replace_column("t", np.ones(9, np.int64)), r"different lengths, .*'t': 9"),
        (replace_column("t", np.ones(10)), "events/t holds float64, but must hold integers"),
        (replace_column("x", np.zeros(10, "S3")), r"events/x holds \|S3"),
        (replace_column("y", np.ones((10, 1), np.int64)), "events/y is not a one-dimensional"),
        (replace_column("y", 3), "events/y is not a one-dimensional"),
        (nest_column, "events/y is not a one-dimensional"),
        (empty, r"holds \['other'\], but a recording has a group `events` with columns"),
        (use_compound, r"`events` holds \[\('x', .* of shape \(3,\), but a recording has a group"),
        (hold_two, r"holds events in 2 places \(/left, /right\).* a file for each"),
        (never_write, "events/t: only 1 of 3 chunks were ever written"),
        (never_allocate, "events/x: only 0 of 1 chunks were ever written"),
        (cut_chunk(1, compression="gzip"), "events/t: .* not compressed and has 24 bytes, but 40"),
        (cut_chunk(3, compression="lzf", shuffle=True), "events/t: .* and has 24 bytes, but 40"),
        (cut_chunk(0), "events/t: .* is not compressed and has 24 bytes, but 40 are expected"),
        (add_size(3, None), "events gives the sensor a height of 3 and a width of None, but both"),
        (add_size(0, 3), "a height of 0 and a width of 3"),
        (add_size(720, 65_537), "a width of 65537, but both must be whole numbers from 1 to 65536"),
        (add_size("tall", "wide"), "events/height is not a whole number"),
        (add_size([1, 2], [3, 4]), "events/height is not a whole number"),
        (add_size(7.5, 7), r"events/height is not a whole number \(it is 7.5\)"),
        (
            add_offset(np.uint64(2**64 - 1)),
            "t_offset is 18446744073709551615, but the largest offset",
        ),
        (add_offset(-(2**63)), "t_offset is -9223372036854775808, but the largest offset"),
        (link_elsewhere, "events/x lies in another file"),
        (compose_of_others, "events/x lies in another file"),
        (keep_elsewhere, "events/x lies in another file"),
    ],
)
def test_a_spoilt_file_is_refused_with_the_place(
    change: Change, description: str, tmp_path: Path
) -> None:
    path = write_changed(tmp_path, change)

    with (
        pytest.raises(RecordingError, match=description) as raised,
        open_columns(path),
    ):
        pass

    assert str(raised.value).startswith(f"{path}: ")


def test_the_size_may_be_an_array_of_one(tmp_path: Path) -> None:
    path = write_changed(tmp_path, add_size(np.array([720]), np.array([1280])))

    with open_columns(path) as columns:
        assert columns.sensor_size == (720, 1280)


@pytest.mark.parametrize("place", ["t_offset", "events/t_offset"])
def test_an_offset_is_added_wherever_it_is(place: str, tmp_path: Path) -> None:
    path = write_changed(tmp_path, lambda file: file.update({place: 10**9}))

    with open_columns(path) as columns:
        assert columns.times.offset_us == 10**9


@pytest.mark.parametrize("place", ["events", "/"])
def test_the_size_may_be_attributes(place: str, tmp_path: Path) -> None:
    path = write_changed(tmp_path, lambda file: file[place].attrs.update(height=240, width=304))

    with open_columns(path) as columns:
        assert columns.sensor_size == (240, 304)


def test_texts_are_no_size(tmp_path: Path) -> None:
    path = write_changed(tmp_path, lambda file: file.attrs.update(height="240", width="304"))

    with open_columns(path) as columns:
        assert columns.sensor_size is None


@pytest.mark.parametrize(
    ("attributes", "unit"),
    [
        ({"unit": "ns"}, "ns"),
        ({"Units": b"milliseconds"}, "ms"),
        ({"unit": "px"}, "us"),
        ({}, "us"),
    ],
)
def test_the_unit_of_times_may_be_an_attribute(
    attributes: dict[str, object], unit: str, tmp_path: Path
) -> None:
    path = write_changed(tmp_path, lambda file: file["events/t"].attrs.update(attributes))

    with open_columns(path) as columns:
        assert columns.times.unit == unit


def test_rows_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    def compress(file: h5py.File) -> None:
        values = np.random.default_rng(0).integers(0, 9, 3000)
        for name in "xypt":
            del file[f"events/{name}"]
            file.create_dataset(f"events/{name}", data=values, chunks=(1000,), compression="gzip")

    path = write_changed(tmp_path, compress)
    with h5py.File(path) as file:
        place = file["events/p"].id.get_chunk_info(1).byte_offset
    content = bytearray(path.read_bytes())
    content[place + 20 : place + 60] = bytes(40)
    path.write_bytes(content)

    with (
        open_columns(path) as columns,
        pytest.raises(RecordingError, match=r"rows 500 to 3000 of events/p cannot be read"),
    ):
        columns.fill("p", 500, np.empty(2500, np.int64))


def test_a_filter_that_is_not_installed_is_named(tmp_path: Path) -> None:
    path = write_changed(tmp_path, lambda _: None)
    unknown_filter = 60_000
    with h5py.File(path, "a") as file:
        del file["events/x"]
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_chunk((10,))
        creation.set_filter(unknown_filter, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((10,))
        column = h5py.h5d.create(
            file["events"].id, b"x", h5py.h5t.NATIVE_UINT16, space, dcpl=creation
        )
        column.write_direct_chunk((0,), bytes(20))

    with (
        pytest.raises(RecordingError, match=r"events/x is compressed by HDF5 filter 60000.* again"),
        open_columns(path),
    ):
        pass


def test_a_copy_cut_off_is_refused(tmp_path: Path) -> None:
    path = write_changed(tmp_path, lambda _: None)
    cut_off = tmp_path / "cut.h5"
    cut_off.write_bytes(path.read_bytes()[:-1])

    with (
        pytest.raises(RecordingError, match=r"cut\.h5: HDF5 cannot open .*truncated.*write"),
        open_columns(cut_off),
    ):
        pass

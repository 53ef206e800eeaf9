"""HDF5 files of Prophesee's Metavision: their layout, and what may be wrong with it."""

import resource
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.events.conftest import HEIGHT, WIDTH, Gather, MakeEvents, WriteRecording
from tests.events.formats.ecf_writer import CHUNK_EVENTS, PACKINGS, encode_chunk, write_ecf

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import Events
from etram_pipeline.events.recording import open_recording

SIZE = (HEIGHT, WIDTH)


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_packing_of_ecf_is_read(
    packing: str, tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    events = make_events(3 * CHUNK_EVENTS - 5)
    write_ecf(tmp_path / "recording", events, SIZE, packing)

    found = gather(open_recording(tmp_path / "recording"))

    np.testing.assert_array_equal(found.t_us, events.t_us)
    np.testing.assert_array_equal(found.x, events.x)
    np.testing.assert_array_equal(found.y, events.y)
    np.testing.assert_array_equal(found.polarity, events.polarity)


def test_a_last_chunk_filled_up_to_its_length_counts_only_as_far_as_the_recording(
    tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    events = make_events(CHUNK_EVENTS + 7)
    path = tmp_path / "recording"
    write_ecf(path, events, SIZE)
    filled = make_events(CHUNK_EVENTS)
    filled.x[:7] = 3
    with h5py.File(path, "a") as file:
        file["CD/events"].id.write_direct_chunk((CHUNK_EVENTS,), encode_chunk(filled, "plain"))

    found = gather(open_recording(path))

    assert len(found) == CHUNK_EVENTS + 7
    assert found.x[-7:].tolist() == [3] * 7


def test_a_chunk_that_was_not_compressed_is_read_as_it_is(
    tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    events = make_events(2 * CHUNK_EVENTS)
    path = tmp_path / "recording"
    write_ecf(path, events, SIZE)
    with h5py.File(path, "a") as file:
        dataset = file["CD/events"]
        rows = np.zeros(CHUNK_EVENTS, dataset.dtype)
        rows["x"], rows["p"], rows["t"] = 9, -1, 60_000
        dataset.id.write_direct_chunk((CHUNK_EVENTS,), rows.tobytes(), filter_mask=1)

    found = gather(open_recording(path))

    assert set(found.x[CHUNK_EVENTS:].tolist()) == {9}
    assert set(found.polarity[CHUNK_EVENTS:].tolist()) == {0}


@pytest.mark.parametrize(
    "attributes",
    [
        {"geometry": "160x120"},
        {"format": "EVT3;height=120;width=160", "geometry": np.bytes_(b"160x120")},
        {"width": "160", "height": "120"},
        {"integrator_name": "Prophesee", "system_ID": "49"},
    ],
)
@pytest.mark.parametrize("place", ["/", "CD"])
def test_the_size_is_found_wherever_an_attribute_says_it(
    attributes: dict[str, object],
    place: str,
    make_events: MakeEvents,
    write_recording: WriteRecording,
) -> None:
    path = write_recording("ecf", make_events())
    with h5py.File(path, "a") as file:
        del file.attrs["geometry"]
        for name, value in attributes.items():
            file[place].attrs[name] = value

    recording = open_recording(path, size=(9, 9))

    wanted = (720, 1280) if "system_ID" in attributes else (120, 160)
    assert (recording.height, recording.width) == wanted


def test_without_a_size_the_given_one_counts_or_the_parameter_is_named(
    make_events: MakeEvents, write_recording: WriteRecording
) -> None:
    path = write_recording("ecf", make_events())
    with h5py.File(path, "a") as file:
        del file.attrs["geometry"]

    assert open_recording(path, size=(720, 1280)).width == 1280
    with pytest.raises(RecordingError, match=r"recording_0.*dataset\.height and dataset\.width"):
        open_recording(path)


def test_a_damaged_chunk_is_named_with_its_place_in_the_file(
    tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    path = tmp_path / "recording"
    write_ecf(path, make_events(3 * CHUNK_EVENTS), SIZE)
    with h5py.File(path) as file:
        place = file["CD/events"].id.get_chunk_info(1).byte_offset
    content = bytearray(path.read_bytes())
    content[place + 13 : place + 900] = bytes([0xFF] * 887)
    path.write_bytes(content)

    with pytest.raises(RecordingError, match=rf"recording: chunk 1 at byte {place} .* no ECF data"):
        gather(open_recording(path))


def test_a_chunk_with_too_few_events_is_refused(
    tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    path = tmp_path / "recording"
    write_ecf(path, make_events(2 * CHUNK_EVENTS), SIZE)
    with h5py.File(path, "a") as file:
        chunk = encode_chunk(make_events(100), "plain")
        file["CD/events"].id.write_direct_chunk((0,), chunk)

    with pytest.raises(RecordingError, match=r"chunk 0 at byte \d+ .* only 100 of 1000 events"):
        gather(open_recording(path))


def test_a_chunk_shorter_than_its_values_is_refused(tmp_path: Path, gather: Gather) -> None:
    dtype = np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])
    path = tmp_path / "recording"
    with h5py.File(path, "w") as file:
        options = {"chunks": (5,), "compression": "lzf"}
        events = file.create_dataset("CD/events", data=np.zeros(10, dtype), **options)
        events.id.write_direct_chunk((5,), bytes(14), filter_mask=1)
    with pytest.raises(RecordingError, match=r"CD/events: .* has 14 bytes, but 70 are expected"):
        gather(open_recording(path, size=SIZE))


def test_times_before_zero_are_left_out_and_counted(
    make_events: MakeEvents, write_recording: WriteRecording
) -> None:
    events = make_events(100)
    early = Events(events.x, events.y, events.t_us - 50_000, events.polarity)
    recording = open_recording(write_recording("prophesee_hdf5", early))

    (found,) = recording.read()

    assert found.num_early == np.count_nonzero(early.t_us < 0) > 0
    assert len(found) == 100 - found.num_early
    assert recording.start_us == early.t_us[early.t_us >= 0][0]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_memory_does_not_grow_with_a_recording_that_hdf5_decompresses(tmp_path: Path) -> None:
    dtype = np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])
    with h5py.File(tmp_path / "recording", "w") as file:
        options = {"chunks": (16_384,), "compression": "lzf"}
        file.create_dataset("CD/events", data=np.zeros(5_000_000, dtype), **options)
    chunks = open_recording(tmp_path / "recording", size=SIZE).read()
    next(chunks)

    before = resident_mb()
    largest = max(resident_mb() for _ in chunks)

    assert largest - before < 25  # of 70


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6

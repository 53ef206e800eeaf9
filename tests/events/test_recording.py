"""What every recording promises, whatever its format."""

import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.recording import open_recording

HEIGHT, WIDTH = 120, 160
REAL = Path(__file__).parents[2] / "../shared/real"
MORE_THAN_A_BLOCK = 300_000
WITHOUT_LATE_TIMES = ("ecf",)  # a chunk of ECF has no steps back in time: its writer raises them

MakeEvents = Callable[..., Events]
WriteRecording = Callable[[str, Events], Path]
Gather = Callable[..., Events]


def assert_equal(found: Events, wanted: Events) -> None:
    for column in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(found, column), getattr(wanted, column))


def test_a_recording_gives_back_the_events_written(
    file_format: str, make_events: MakeEvents, write_recording: WriteRecording, gather: Gather
) -> None:
    events = make_events(MORE_THAN_A_BLOCK)
    recording = open_recording(write_recording(file_format, events))

    assert_equal(gather(recording), events)
    assert (recording.height, recording.width) == (HEIGHT, WIDTH)
    assert recording.num_events == len(events)
    assert recording.start_us == events.t_us[0]
    assert recording.stop_us == events.t_us[-1] + 1


def test_events_come_in_chunks_of_bounded_size_that_stay_as_they_are(
    file_format: str, make_events: MakeEvents, write_recording: WriteRecording
) -> None:
    recording = open_recording(write_recording(file_format, make_events(MORE_THAN_A_BLOCK)))

    stretches = list(recording.read())

    assert len(stretches) > 1
    assert max(len(part) for part in stretches) <= 2**20
    arrays = [part.t_us for part in stretches]
    assert not any(map(np.shares_memory, arrays, arrays[1:]))


def test_a_part_is_the_slice_of_the_whole(
    file_format: str, make_events: MakeEvents, write_recording: WriteRecording, gather: Gather
) -> None:
    events = make_events(MORE_THAN_A_BLOCK)
    times_us = events.t_us.copy()
    times_us[1000::50_000] += 4000  # late events follow, also over the borders of blocks
    events.x[::7] = 300
    recording = open_recording(write_recording(file_format, replace(events, t_us=times_us)))
    whole_us = np.maximum.accumulate(times_us)
    inside = events.x < WIDTH

    for span in [(0, 5), (5, 6), (43_000, 47_001), (90_000, 10**7), (20_000, None), (None, 777)]:
        low = 0 if span[0] is None else span[0]
        high = 10**9 if span[1] is None else span[1]
        wanted = (whole_us >= low) & (whole_us < high)
        found = gather(recording, *span)
        np.testing.assert_array_equal(found.t_us, whole_us[wanted & inside])
        np.testing.assert_array_equal(found.y, events.y[wanted & inside])
        assert found.num_dropped == np.count_nonzero(wanted & ~inside)
        if file_format not in WITHOUT_LATE_TIMES:
            assert found.num_late == np.count_nonzero(wanted & (whole_us != times_us))


def test_a_reversed_or_empty_span_holds_no_events(
    file_format: str, make_events: MakeEvents, write_recording: WriteRecording
) -> None:
    recording = open_recording(write_recording(file_format, make_events()))

    assert list(recording.read(500, 500)) == []
    assert list(recording.read(5000, 500)) == []
    assert list(recording.read(10**9, None)) == []


def test_late_events_are_raised_to_the_latest_time_before_them(
    file_format: str, write_recording: WriteRecording, gather: Gather
) -> None:
    ones = np.ones(6, np.uint16)
    events = Events(ones, ones, np.array([10, 30, 20, 30, 5, 40]), ones.astype(np.uint8))

    found = gather(open_recording(write_recording(file_format, events)))

    assert found.t_us.tolist() == [10, 30, 30, 30, 30, 40]
    assert found.num_late == (0 if file_format in WITHOUT_LATE_TIMES else 2)


def test_events_outside_the_sensor_are_dropped_and_counted(
    file_format: str, make_events: MakeEvents, write_recording: WriteRecording, gather: Gather
) -> None:
    events = make_events(100)
    events.x[3], events.x[50], events.y[50], events.y[99] = WIDTH, 2047, HEIGHT, 2047
    recording = open_recording(write_recording(file_format, events))

    found = gather(recording)

    assert found.num_dropped == 3
    assert recording.num_events == 100
    kept = np.delete(np.arange(100), [3, 50, 99])
    np.testing.assert_array_equal(found.t_us, events.t_us[kept])
    np.testing.assert_array_equal(found.x, events.x[kept])


def test_a_stretch_without_an_event_inside_still_counts_what_it_dropped(
    file_format: str, make_events: MakeEvents, write_recording: WriteRecording, gather: Gather
) -> None:
    events = make_events(10)
    events.y[:] = 500

    found = gather(open_recording(write_recording(file_format, events)))

    assert len(found) == 0
    assert found.num_dropped == 10


def test_a_recording_without_events_is_valid_and_empty(
    file_format: str, make_events: MakeEvents, write_recording: WriteRecording
) -> None:
    recording = open_recording(write_recording(file_format, make_events(0)))

    assert (recording.num_events, recording.start_us, recording.stop_us) == (0, 0, 0)
    assert list(recording.read()) == []
    assert list(recording.read(3, 5)) == []


def test_a_handle_survives_pickling_before_and_after_reading(
    file_format: str, make_events: MakeEvents, write_recording: WriteRecording, gather: Gather
) -> None:
    events = make_events()
    recording = open_recording(write_recording(file_format, events))

    fresh: Recording = pickle.loads(pickle.dumps(recording))
    assert_equal(gather(fresh), events)
    next(recording.read())
    used: Recording = pickle.loads(pickle.dumps(recording))
    assert_equal(gather(used), events)
    assert fingerprint(used) == fingerprint(fresh)


def test_two_readers_of_one_handle_do_not_disturb_each_other(
    file_format: str, make_events: MakeEvents, write_recording: WriteRecording, gather: Gather
) -> None:
    events = make_events(MORE_THAN_A_BLOCK)
    recording = open_recording(write_recording(file_format, events))

    slow = recording.read()
    first = next(slow)
    part = gather(recording, 50_000, 60_000)
    rest = [first, *slow]

    np.testing.assert_array_equal(np.concatenate([s.t_us for s in rest]), events.t_us)
    assert len(part) == np.count_nonzero((events.t_us >= 50_000) & (events.t_us < 60_000))


def test_the_size_in_the_file_precedes_the_size_given(
    file_format: str, make_events: MakeEvents, write_recording: WriteRecording
) -> None:
    recording = open_recording(write_recording(file_format, make_events()), size=(720, 1280))

    assert (recording.height, recording.width) == (HEIGHT, WIDTH)


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (5, 65_537)])
def test_a_size_no_sensor_has_is_refused(size: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="from 1 to 65536"):
        open_recording(tmp_path / "any", size=size)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"absent\.h5: there is no such file"):
        open_recording(str(tmp_path / "absent.h5"))


def test_a_name_no_file_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"aaa\.h5: the file cannot be read: .*too long"):
        open_recording(tmp_path / f"{'a' * 300}.h5")


@pytest.mark.parametrize(
    ("file_format", "library", "install"),
    [("hdf5", "h5py", "h5py hdf5plugin isal"), ("aedat4", "pyarrow", "pyarrow")],
)
def test_a_format_whose_library_is_not_installed_says_what_to_install(
    file_format: str,
    library: str,
    install: str,
    make_events: MakeEvents,
    write_recording: WriteRecording,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write_recording(file_format, make_events(10))
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "etram_pipeline.events.formats.aedat4", raising=False)
    with pytest.raises(RecordingError, match=f"{library}, which is not .*: pip install {install}$"):
        open_recording(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="this is a folder"):
        open_recording(tmp_path)


def read_all(path: Path) -> int:
    """Events of a file that may be damaged; every one of them must lie inside the sensor."""
    recording = open_recording(path)
    num_events = 0
    last_us = 0
    for events in recording.read():
        num_events += len(events)
        if len(events):
            assert events.x.max() < recording.width
            assert events.y.max() < recording.height
            assert (np.diff(events.t_us, prepend=last_us) >= 0).all()
            last_us = int(events.t_us[-1])
    assert recording.stop_us >= recording.start_us
    return num_events


def read_damaged(path: Path, content: bytes) -> int | None:
    """Events of a damaged file; None where it is refused, which must name the file."""
    path.write_bytes(content)
    try:
        return read_all(path)
    except RecordingError as error:
        assert str(path) in str(error)  # noqa: PT017  both outcomes are right
        return None


def test_a_recording_cut_off_anywhere_is_refused_or_read_as_far_as_it_goes(
    file_format: str, make_events: MakeEvents, write_recording: WriteRecording
) -> None:
    path = write_recording(file_format, make_events())
    content = path.read_bytes()
    rng = np.random.default_rng(1)

    lengths = [*range(0, 130, 5), *sorted(rng.integers(130, len(content), 60).tolist())]
    found = [read_damaged(path, content[:length]) for length in lengths]

    assert found[0] is None
    read = [number for number in found if number is not None]
    assert read == sorted(read)
    assert all(number < 2000 for number in read)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real recordings are not here")
@pytest.mark.parametrize(
    ("name", "num_events", "duration_ms", "size"),
    [
        ("expelliarmus_evt3_sample.raw", 219_596, 8.8, (720, 1280)),
        ("expelliarmus_evt3_test_pedestrians.raw", 5_000, 45.2, (720, 1280)),
        ("expelliarmus_evt2_sample.raw", 539_481, 50.0, (480, 640)),
        ("faery_evt2.raw", 521_252, 95.9, (480, 640)),
        ("expelliarmus_NCARS_obj_004397_td.dat", 4_407, 99.9, (240, 304)),
        ("tonic_sample_ncars.dat", 2_009, 100.0, (240, 304)),
        ("tonic_sample.aedat4", 111_954, 589.9, (240, 320)),
    ],
)
def test_real_recordings_open(
    name: str, num_events: int, duration_ms: float, size: tuple[int, int], gather: Gather
) -> None:
    recording = open_recording(REAL / name, size=(240, 304))
    events = gather(recording)

    assert (recording.height, recording.width) == size
    assert len(events) == recording.num_events == num_events
    assert events.num_dropped == events.num_late == 0
    assert (recording.stop_us - recording.start_us) / 1000 == pytest.approx(duration_ms, abs=0.06)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real recordings are not here")
def test_a_real_recording_of_another_maker_is_refused_by_name() -> None:
    with pytest.raises(RecordingError, match=r"faery_dvs\.es.*Event Stream.*supported are"):
        open_recording(REAL / "faery_dvs.es")

"""What others' readers find in the same files, on real recordings and on round trips.

EVT2.1 and ECF are missing: none of these libraries reads them (faery's EVT2.1 is not implemented).
faery wants the table of packets at the end of an AEDAT4 file, which the tests' writer leaves out.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.events.conftest import Gather, MakeEvents, WriteRecording
from tests.events.formats.aedat4_writer import write_aedat4

from etram_pipeline.core.recording import Events
from etram_pipeline.events.recording import open_recording

REAL = Path(__file__).parents[3] / "../shared/real"
EVT3 = ["expelliarmus_evt3_sample.raw", "expelliarmus_evt3_test_pedestrians.raw"]
DAT = ["expelliarmus_NCARS_obj_004397_td.dat", "tonic_sample_ncars.dat"]
AEDAT4 = "tonic_sample.aedat4"
LARGE = (720, 1280)

Read = Callable[[Path], Events]

needs_real_recordings = pytest.mark.skipif(
    not REAL.is_dir(), reason="the real recordings are not here"
)


def read_by_evt3(path: Path) -> Events:
    evt3 = pytest.importorskip("evt3")
    events = evt3.decode_file(str(path))
    return Events(events.x, events.y, events.timestamp.astype(np.int64), events.polarity)


def read_by_faery(path: Path) -> Events:
    faery = pytest.importorskip("faery")
    rows = np.concatenate(list(faery.events_stream_from_file(path)))
    return Events(rows["x"], rows["y"], rows["t"].astype(np.int64), rows["on"].astype(np.uint8))


def read_by_aedat(path: Path) -> Events:
    aedat = pytest.importorskip("aedat")
    packets = [packet["events"] for packet in aedat.Decoder(path) if "events" in packet]
    rows = np.concatenate(packets)
    return Events(rows["x"], rows["y"], rows["t"].astype(np.int64), rows["on"].astype(np.uint8))


def assert_same(found: Events, wanted: Events, *columns: str) -> None:
    for column in columns or ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(found, column), getattr(wanted, column))


@needs_real_recordings
@pytest.mark.parametrize(
    ("name", "read"),
    [
        *[(name, read_by_evt3) for name in EVT3],
        (EVT3[1], read_by_faery),
        ("expelliarmus_evt2_sample.raw", read_by_faery),
        ("faery_evt2.raw", read_by_faery),
        (AEDAT4, read_by_faery),
        (AEDAT4, read_by_aedat),
    ],
)
def test_real_recordings_hold_what_other_readers_find(
    name: str, read: Read, gather: Gather
) -> None:
    recording = open_recording(REAL / name)

    assert_same(gather(recording), read(REAL / name))


@needs_real_recordings
def test_faery_times_one_recording_differently_by_a_few_microseconds(gather: Gather) -> None:
    """It raises times before others have; evt3 and we restart the low bits, as OpenEB does."""
    found, wanted = gather(open_recording(REAL / EVT3[0])), read_by_faery(REAL / EVT3[0])

    assert_same(found, wanted, "x", "y", "polarity")
    differences_us = np.abs(found.t_us - wanted.t_us)
    assert differences_us.max() <= 11
    assert np.count_nonzero(differences_us) < 0.01 * len(found)


@needs_real_recordings
@pytest.mark.parametrize("name", DAT)
def test_real_dat_recordings_hold_what_faery_finds(
    name: str, tmp_path: Path, gather: Gather
) -> None:
    """It refuses events of the old type 0, which have the same layout as those of type 12."""
    content = (REAL / name).read_bytes()
    renamed = tmp_path / "renamed.dat"
    renamed.write_bytes(content.replace(bytes([0, 8]), bytes([12, 8]), 1))

    assert_same(gather(open_recording(REAL / name, size=LARGE)), read_by_faery(renamed))


@pytest.mark.parametrize(
    ("file_format", "suffix", "read"),
    [
        ("evt2", ".raw", read_by_faery),
        ("evt3", ".raw", read_by_faery),
        ("evt3", ".raw", read_by_evt3),
        ("dat", ".dat", read_by_faery),
        ("aedat4", ".aedat4", read_by_aedat),
    ],
)
def test_what_tests_write_is_read_alike(
    file_format: str,
    suffix: str,
    read: Read,
    make_events: MakeEvents,
    write_recording: WriteRecording,
    gather: Gather,
) -> None:
    events = make_events(20_000, stop_us=10_000_000)
    path = write_recording(file_format, events)
    path = path.rename(path.with_suffix(suffix))

    assert_same(gather(open_recording(path)), events)
    assert_same(read(path), events)


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_packets_of_other_compressions_are_read_alike(
    compression: str | None, tmp_path: Path, make_events: MakeEvents
) -> None:
    events = make_events(5000)
    write_aedat4(tmp_path / "recording.aedat4", events, LARGE, compression)

    assert_same(read_by_aedat(tmp_path / "recording.aedat4"), events)


def test_dat_before_version_2_is_read_alike(
    tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    events = make_events(20_000)
    x, y, t, p = (c.astype(np.int64) for c in (events.x, events.y, events.t_us, events.polarity))
    header = b"% Data file containing CD events.\n% Version 1\n% Height 120\n% Width 160\n\x0c\x08"
    records = np.stack([t, p << 17 | y << 9 | x], axis=1).astype("<u4")
    path = tmp_path / "recording.dat"
    path.write_bytes(header + records.tobytes())

    assert_same(gather(open_recording(path)), events)
    assert_same(read_by_faery(path), events)

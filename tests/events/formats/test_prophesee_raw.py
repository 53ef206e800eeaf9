"""RAW files as a whole; their words are tested with each encoding."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import Events
from etram_pipeline.events.recording import open_recording

Gather = Callable[..., Events]
WriteRecording = Callable[[str, Events], Path]
MakeEvents = Callable[..., Events]


@pytest.mark.parametrize("encoding", ["EVT4", "HISTO3D", "AER-8b", "EVT21;endianness=big"])
def test_encodings_not_known_here_are_named_with_those_that_are(
    encoding: str, tmp_path: Path
) -> None:
    path = tmp_path / "recording"
    path.write_bytes(f"% format {encoding};height=720;width=1280\n% end\n".encode())

    with pytest.raises(RecordingError, match=rf"recording: .*{encoding[:4]}.*EVT2, EVT3"):
        open_recording(path)


@pytest.mark.parametrize("encoding", ["evt2", "evt21", "evt3"])
def test_data_that_never_tells_the_time_is_refused(
    encoding: str, tmp_path: Path, gather: Gather
) -> None:
    path = tmp_path / "recording"
    header = f"% format {encoding};height=720;width=1280\n% end\n".encode()
    path.write_bytes(header + bytes(40))
    recording = open_recording(path)

    with pytest.raises(RecordingError, match=rf"words after byte {len(header)} contains a time"):
        gather(recording)
    with pytest.raises(RecordingError, match="contains a time"):
        _ = recording.num_events


@pytest.mark.parametrize("encoding", ["evt2", "evt21", "evt3"])
def test_an_incomplete_last_word_is_ignored_with_a_warning(
    encoding: str,
    make_events: MakeEvents,
    write_recording: WriteRecording,
    gather: Gather,
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = make_events(10)
    path = write_recording(encoding, events)
    path.write_bytes(path.read_bytes()[:-1])

    with caplog.at_level(logging.WARNING):
        found = gather(open_recording(path))

    np.testing.assert_array_equal(found.t_us, events.t_us[:9])
    assert "are an incomplete word and are ignored" in caplog.text


def test_a_stream_of_full_vectors_comes_in_chunks_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    base_and_vectors = [0x3000, 0x4FFF, 0x4FFF, 0x50FF]
    words = np.array([0x8001, 0x6000, 3, *base_and_vectors * 50_000], "<u2")
    path.write_bytes(b"% evt 3.0\n% geometry 640x480\n% end\n" + words.tobytes())
    recording = open_recording(path)

    sizes = [len(events) for events in recording.read()]

    assert max(sizes) <= 2**21
    assert sum(sizes) == recording.num_events == 32 * 50_000


def test_a_file_that_vanishes_is_named(
    make_events: MakeEvents, write_recording: WriteRecording, gather: Gather
) -> None:
    path = write_recording("evt2", make_events(10))
    recording = open_recording(path)
    path.unlink()

    with pytest.raises(RecordingError, match=r"recording_0: cannot be read"):
        gather(recording)

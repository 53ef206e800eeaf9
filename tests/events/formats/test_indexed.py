"""Reading from the middle of a recording, of whatever format, with and without an index file."""

import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.events.conftest import Gather, MakeEvents, WriteRecording

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.formats import encoded, prophesee_hdf5
from etram_pipeline.events.formats.indexed import Block, IndexedRecording
from etram_pipeline.events.recording import open_recording

EVT3_LOOP_US = 1 << 24
SPANS_US = st.tuples(st.integers(-10, 110_000), st.integers(0, 30_000))


@pytest.fixture
def late(make_events: MakeEvents, monkeypatch: pytest.MonkeyPatch) -> Events:
    """Events of which some are followed by earlier ones, in small blocks that they reach over."""
    monkeypatch.setattr(encoded, "_MOST_BLOCK_WORDS", 300)
    monkeypatch.setattr(prophesee_hdf5, "_BLOCK_EVENTS", 700)
    events = make_events(20_000)
    times_us = events.t_us.copy()
    times_us[500::1700] += 3000
    return replace(events, t_us=times_us)


def assert_is_slice(found: Events, whole: Events, first: int, last: int) -> None:
    np.testing.assert_array_equal(found.t_us, whole.t_us[first:last])
    np.testing.assert_array_equal(found.x, whole.x[first:last])
    np.testing.assert_array_equal(found.y, whole.y[first:last])
    np.testing.assert_array_equal(found.polarity, whole.polarity[first:last])


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(spans_us=st.lists(SPANS_US, min_size=1, max_size=4))
def test_any_part_is_the_slice_of_the_whole_in_any_order_of_reading(
    spans_us: list[tuple[int, int]],
    recording_with_late_events: tuple[Path, Events],
    gather: Gather,
) -> None:
    path, whole = recording_with_late_events
    recording = open_recording(path)

    for start_us, duration_us in spans_us:
        span = (start_us, start_us + duration_us)
        first, last = np.searchsorted(whole.t_us, span)
        assert_is_slice(gather(recording, *span), whole, int(first), int(last))


@pytest.fixture
def recording_with_late_events(
    file_format: str, late: Events, write_recording: WriteRecording, gather: Gather
) -> tuple[Path, Events]:
    path = write_recording(file_format, late)
    whole = gather(open_recording(path))
    np.testing.assert_array_equal(whole.t_us, np.maximum.accumulate(late.t_us))
    return path, whole


def test_times_that_began_anew_are_found_too(
    make_events: MakeEvents,
    write_recording: WriteRecording,
    gather: Gather,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(encoded, "_MOST_BLOCK_WORDS", 300)
    events = make_events(20_000, start_us=0, stop_us=5 * EVT3_LOOP_US)
    recording = open_recording(write_recording("evt3", events))
    assert recording.stop_us == events.t_us[-1] + 1

    for loop in (4, 1, 3):
        span = (loop * EVT3_LOOP_US - 20_000, loop * EVT3_LOOP_US + 20_000)
        first, last = np.searchsorted(events.t_us, span)
        assert_is_slice(gather(recording, *span), events, int(first), int(last))


def blocks_read(recording: Recording, monkeypatch: pytest.MonkeyPatch, span: list[int]) -> int:
    """Blocks that a read decodes."""
    assert isinstance(recording, IndexedRecording)
    decode = type(recording)._decode
    numbers = []

    def counted(self: IndexedRecording, block: int, state: tuple[int, ...]) -> Iterator[Block]:
        for decoded in decode(self, block, state):
            numbers.append(block)
            yield decoded

    with monkeypatch.context() as patch:
        patch.setattr(type(recording), "_decode", counted)
        list(recording.read(*span))
    return len(numbers)


ENCODED = ["evt2", "evt21", "evt3", "dat", "ecf", "prophesee_hdf5", "aedat4"]


@pytest.mark.parametrize("encoding", ENCODED)
def test_only_what_is_not_known_yet_is_read(
    encoding: str,
    late: Events,
    write_recording: WriteRecording,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording = open_recording(write_recording(encoding, late))
    monkeypatch.setattr(prophesee_hdf5, "_BLOCK_EVENTS", 700)

    assert recording.start_us == late.t_us[0]
    first = blocks_read(recording, monkeypatch, [80_000, 80_500])
    again = blocks_read(recording, monkeypatch, [80_000, 80_500])
    before = blocks_read(recording, monkeypatch, [20_000, 20_500])
    assert recording.stop_us == late.t_us.max() + 1
    last = blocks_read(recording, monkeypatch, [99_000, 99_500])

    assert first > 3 * max(again, before, last)
    assert min(again, before, last) >= 1


@pytest.mark.parametrize("encoding", ENCODED)
def test_an_index_file_is_made_once_and_used_by_the_next_handle(
    encoding: str,
    late: Events,
    write_recording: WriteRecording,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write_recording(encoding, late)
    index = tmp_path / "indices/recording.index"

    made = open_recording(path, index=index)
    written_ns = index.stat().st_mtime_ns
    used = open_recording(path, index=index)

    assert index.stat().st_mtime_ns == written_ns
    assert blocks_read(used, monkeypatch, [80_000, 80_500]) <= 3
    assert (used.num_events, used.start_us, used.stop_us) == (
        made.num_events,
        made.start_us,
        made.stop_us,
    )


@pytest.mark.parametrize("encoding", ENCODED)
def test_an_index_that_is_stale_or_damaged_is_made_anew(
    encoding: str,
    late: Events,
    make_events: MakeEvents,
    write_recording: WriteRecording,
    tmp_path: Path,
    gather: Gather,
) -> None:
    path = write_recording(encoding, late)
    index = tmp_path / "recording.index"
    open_recording(path, index=index)
    content = index.read_bytes()

    index.write_bytes(content[:-3])
    open_recording(path, index=index)
    assert index.read_bytes() == content

    other = make_events(15_000)
    write_recording(encoding, other).replace(path)
    recording = open_recording(path, index=index)
    assert index.read_bytes() != content
    first, last = np.searchsorted(other.t_us, (50_000, 51_000))
    assert_is_slice(gather(recording, 50_000, 51_000), other, int(first), int(last))


def test_an_index_travels_with_the_handle(
    late: Events, write_recording: WriteRecording, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = open_recording(write_recording("evt3", late))
    assert recording.num_events == len(late)

    other: Recording = pickle.loads(pickle.dumps(recording))

    assert blocks_read(other, monkeypatch, [80_000, 80_500]) <= 3


@pytest.mark.parametrize("encoding", ENCODED)
def test_a_recording_that_changed_since_it_was_opened_is_refused(
    encoding: str, make_events: MakeEvents, write_recording: WriteRecording
) -> None:
    path = write_recording(encoding, make_events())
    recording = open_recording(path)
    assert recording.num_events == 2000
    os.utime(path, ns=(1, 1))

    with pytest.raises(RecordingError, match=r"has changed since it was opened; open it again"):
        list(recording.read(5000, 6000))

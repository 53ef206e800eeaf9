"""Recordings as sources, and sources that fail."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.streaming.moving import HEIGHT, WIDTH, as_recording, moving, results, stream, together
from typing_extensions import override

from etram_pipeline.core.errors import SourceError
from etram_pipeline.core.recording import Events
from etram_pipeline.streaming.chunks import NEW_CLOCK, Chunk
from etram_pipeline.streaming.sources import Source, SourceCounts
from etram_pipeline.streaming.sources.reconnecting import ReconnectingSource
from etram_pipeline.streaming.sources.recording import RecordingSource

SIZE = (HEIGHT, WIDTH)


def times_of(chunks: list[Chunk]) -> list[int]:
    return [int(t) for chunk in chunks if isinstance(chunk, Events) for t in chunk.t_us]


def test_a_recording_is_read_as_it_is(tmp_path: Path) -> None:
    events = moving(500_000)
    source = RecordingSource(as_recording(tmp_path, events), size=SIZE)

    found = results(stream(tmp_path, hold=0), source)

    assert source.size == SIZE
    np.testing.assert_array_equal(
        together(found), together(results(stream(tmp_path, hold=0), [events]))
    )


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_a_recording_is_played_when_its_events_are_due(tmp_path: Path, speed: float) -> None:
    events = moving(200_000)
    events = events[(events["t"] < 50_000) | (events["t"] >= 130_000)]
    now = [0.0]

    def clock() -> float:
        return now[0]

    source = RecordingSource(as_recording(tmp_path, events), speed=speed, size=SIZE, clock=clock)
    waits: list[float] = []

    class Waiting:
        """Stands for the event that is waited for."""

        def is_set(self) -> bool:
            return False

        def wait(self, seconds: float) -> bool:
            waits.append(seconds)
            now[0] += seconds
            return False

    source._closed = Waiting()  # type: ignore[assignment]  # time passes at once
    given: list[tuple[float, Chunk]] = [(now[0], chunk) for chunk in source]

    whole = list(RecordingSource(as_recording(tmp_path, events), size=SIZE))
    assert times_of([chunk for _, chunk in given]) == times_of(whole)
    for at_s, chunk in given:
        last_us = chunk if isinstance(chunk, int) else int(chunk.t_us[-1])  # type: ignore[union-attr]
        assert last_us <= 10_000 + 1e6 * at_s * speed + 1
    assert [chunk for _, chunk in given if isinstance(chunk, int)] == list(
        range(60_000, 130_001, 10_000)
    )
    assert now[0] == pytest.approx(0.19 / speed)
    assert max(waits) == pytest.approx(0.01 / speed)


def test_a_played_recording_counts_what_its_file_left_out(tmp_path: Path) -> None:
    events = moving(100_000)
    events["x"][10], events["t"][20] = WIDTH + 5, 3
    path = as_recording(tmp_path, events)
    watched, plain = stream(tmp_path), stream(tmp_path)

    played = RecordingSource(path, speed=1000.0, size=SIZE)
    results(watched, played)
    results(plain, RecordingSource(path, size=SIZE))

    assert watched.cutter.counts == plain.cutter.counts
    assert watched.cutter.counts.num_dropped >= 1
    assert watched.cutter.counts.num_events == len(events)
    assert played.counts.packets == 10


def test_a_closed_recording_ends(tmp_path: Path) -> None:
    source = RecordingSource(as_recording(tmp_path, moving(500_000)), speed=0.001, size=SIZE)
    chunks = iter(source)
    next(chunks)

    source.close()

    assert list(chunks) == []


@pytest.mark.parametrize("options", [{"speed": 0.0}, {"packet_us": 0}])
def test_a_speed_is_positive(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        RecordingSource(as_recording(tmp_path, moving(1000)), size=SIZE, **options)


class Failing(Source):
    """Gives a few chunks, and then fails, or ends."""

    def __init__(self, chunks: list[Chunk], size: tuple[int, int] = SIZE, *, ends: bool) -> None:
        self.counts, self._chunks, self._ends, self._size = SourceCounts(), chunks, ends, size

    @property
    @override
    def size(self) -> tuple[int, int]:
        return self._size

    @override
    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self._chunks:
            self.counts.packets += 1
            yield chunk
        if not self._ends:
            raise SourceError("the cable is cut")

    @override
    def close(self) -> None:
        pass


def test_a_camera_that_returns_has_a_new_clock() -> None:
    tries = iter([None, [1, 2], None, None, [], [3]])

    def open_source() -> Source:
        chunks = next(tries)
        if chunks is None:
            raise SourceError("there is no camera")
        return Failing(list(chunks), ends=3 in chunks)

    source = ReconnectingSource(open_source, first_wait_s=1e-6)

    assert source.size == SIZE
    assert list(source) == [1, 2, NEW_CLOCK, 3]
    assert (source.counts.packets, source.counts.reconnects) == (3, 1)


def test_attempts_become_rarer_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_source() -> Source:
        raise SourceError("there is no camera")

    source, waits = ReconnectingSource(open_source, most_attempts=8), []

    class Waiting:
        """Stands for the event that is waited for."""

        def is_set(self) -> bool:
            return False

        def wait(self, seconds: float) -> None:
            waits.append(seconds)

    monkeypatch.setattr(source, "_closed", Waiting())

    with pytest.raises(SourceError, match="there is no camera"):
        list(source)
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_another_camera_is_not_taken_for_the_former_one() -> None:
    sizes = itertools.chain([SIZE], itertools.repeat((480, 640)))
    source = ReconnectingSource(
        lambda: Failing([1], next(sizes), ends=False), first_wait_s=1e-6, most_attempts=3
    )

    with pytest.raises(SourceError, match="480 x 640 px came back instead of one of 64 x 128"):
        list(source)


def test_a_source_can_be_closed_while_it_is_tried_to_open() -> None:
    def open_source() -> Source:
        source.close()
        raise SourceError("there is no camera")

    source = ReconnectingSource(open_source)

    assert list(source) == []
    with pytest.raises(SourceError, match="closed before it could be opened"):
        _ = source.size


def test_waits_are_positive() -> None:
    with pytest.raises(ValueError, match="first_wait_s"):
        ReconnectingSource(lambda: Failing([], ends=True), first_wait_s=0.0)

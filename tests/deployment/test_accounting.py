"""Times of windows by a clock that only the model moves on."""

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Integer
from tests.exported import describe
from typing_extensions import override

from etram_pipeline.core.errors import TooSlowError
from etram_pipeline.deployment.accounting import TimedModel, answers_by_parts, time_windows
from etram_pipeline.deployment.latency_report import Percentiles
from etram_pipeline.deployment.measuring import answers_by_clock
from etram_pipeline.deployment.street import PACKET_US, Packet, write_street
from etram_pipeline.streaming.selection import RawPredictions
from etram_pipeline.streaming.stream import DetectionStream
from etram_pipeline.streaming.window_model import Memories, WindowModel

STEP_MS = 50.0
PACKETS_PER_WINDOW = 25


class Clock:
    """A clock that goes on only when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Slow(WindowModel):
    """Finds nothing, and takes a known time for each window."""

    def __init__(self, clock: Clock, takes_ms: Sequence[float]) -> None:
        super().__init__(describe())
        self._clock, self._takes_ms = clock, iter(takes_ms)

    @override
    def run(
        self, frames: Integer[np.ndarray, "B C H W"], memories: Memories
    ) -> tuple[RawPredictions, Memories]:
        self._clock.seconds += next(self._takes_ms) / 1e3
        nothing = np.zeros((1, 1, 4), np.float32)
        return RawPredictions(nothing, nothing[..., :1], nothing[..., :3]), memories


def test_each_window_takes_what_its_network_takes_and_reading_its_packets(tmp_path: Path) -> None:
    takes_ms = [7.0, 30.0, 5.0]
    clock = Clock()
    model = TimedModel(Slow(clock, takes_ms), clock)
    stream = DetectionStream(model, 64, 128)
    street = write_street(tmp_path / "events", 1e5, 64, 128)

    def reading() -> Iterator[Packet]:
        for packet in street.packets(3 * PACKETS_PER_WINDOW + 1):
            clock.seconds += 1  # reading from the disk, which does not count
            yield packet

    found = list(time_windows(stream, model, reading(), clock))

    assert [each.network_ms for each in found] == pytest.approx(takes_ms)
    assert [each.answer_ms for each in found] == pytest.approx(takes_ms)
    assert [each.total_ms for each in found] == pytest.approx(takes_ms)


def test_events_that_come_before_the_end_of_a_window_count_in_its_total_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    model = TimedModel(Slow(clock, [10.0, 10.0]), clock)
    stream = DetectionStream(model, 64, 128)
    push = stream.push

    def slow_push(packet: np.ndarray) -> object:
        clock.seconds += 0.001
        return push(packet)

    monkeypatch.setattr(stream, "push", slow_push)
    street = write_street(tmp_path / "events", 1e5, 64, 128)

    _, second = time_windows(stream, model, street.packets(2 * PACKETS_PER_WINDOW + 1), clock)

    assert second.answer_ms == pytest.approx(11)
    assert second.total_ms == pytest.approx(10 + PACKETS_PER_WINDOW)
    assert second.network_ms == pytest.approx(10)


def test_a_fast_detector_answers_a_packet_and_its_own_time_after_each_window() -> None:
    answers = answers_by_parts([10.0, 20.0, 30.0], step_ms=STEP_MS, packet_ms=2.0)

    assert answers.latency == Percentiles.of([12.0, 22.0, 32.0])
    assert (answers.num_windows, answers.num_left_out) == (3, 0)


def test_a_slow_detector_leaves_out_the_windows_that_wait_longest() -> None:
    # The first is computed until 120 ms. The second waits from 50 ms and gives way to the third at
    # 100 ms, which is computed from 120 to 240 ms.
    answers = answers_by_parts([120.0] * 3, step_ms=STEP_MS, packet_ms=2.0)

    assert answers.latency == Percentiles.of([122.0, 142.0])
    assert (answers.num_windows, answers.num_left_out) == (2, 1)


@given(
    takes_ms=st.lists(st.integers(0, 300).map(float), min_size=1, max_size=40),
    room=st.integers(1, 3),
)
def test_every_window_is_answered_or_left_out(takes_ms: list[float], room: int) -> None:
    answers = answers_by_parts(takes_ms, step_ms=STEP_MS, packet_ms=2.0, room=room)

    assert answers.num_windows + answers.num_left_out == len(takes_ms)
    assert answers.latency.p50_ms >= 2.0 + min(takes_ms)
    if max(takes_ms) <= STEP_MS:
        assert answers.latency == Percentiles.of([2.0 + each for each in takes_ms])


def test_percentiles_are_those_of_all_values() -> None:
    assert Percentiles.of(list(np.arange(101.0))) == Percentiles(p50_ms=50, p95_ms=95, p99_ms=99)
    with pytest.raises(ValueError, match="percentiles of nothing"):
        Percentiles.of([])


def test_a_street_has_as_many_events_in_every_packet_and_goes_on_when_it_begins_anew(
    tmp_path: Path,
) -> None:
    street = write_street(tmp_path / "events", 1e6, 90, 160)

    packets = list(islice(street.packets(251), 251))

    for number, packet in enumerate(packets):
        assert len(packet) == PACKET_US
        assert (np.diff(packet["t"]) >= 0).all()
        assert number * PACKET_US <= packet["t"][0]
        assert packet["t"][-1] < (number + 1) * PACKET_US
        assert packet["x"].max() < 160
        assert packet["y"].max() < 90
    assert (packets[250]["x"] == packets[0]["x"]).all()


def test_windows_that_a_detector_has_no_time_for_are_left_out_by_the_clock(tmp_path: Path) -> None:
    class Sleeping(Slow):
        @override
        def run(
            self, frames: Integer[np.ndarray, "B C H W"], memories: Memories
        ) -> tuple[RawPredictions, Memories]:
            time.sleep(0.12)  # two windows end meanwhile
            return super().run(frames, memories)

    stream = DetectionStream(Sleeping(Clock(), [0.0] * 10), 64, 128)
    street = write_street(tmp_path / "events", 1e5, 64, 128)

    packets = street.packets(8 * PACKETS_PER_WINDOW + 1)
    answers = answers_by_clock(stream, packets, 6, warm_up=2)

    assert answers.num_left_out >= 1
    assert answers.num_windows <= 5
    assert answers.latency.p50_ms >= 120 + PACKET_US / 1e3


def test_a_detector_that_answers_no_window_in_time_has_no_latency(tmp_path: Path) -> None:
    street = write_street(tmp_path / "events", 1e5, 64, 128)
    stream = DetectionStream(Slow(Clock(), [0.0] * 4), 64, 128)

    with pytest.raises(TooSlowError, match="all of 5 windows were left out"):
        answers_by_clock(stream, street.packets(PACKETS_PER_WINDOW), 5, warm_up=20)

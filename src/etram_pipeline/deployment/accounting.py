"""Times of windows, by any clock: what each takes, and when its boxes are there."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Integer
from typing_extensions import override

from etram_pipeline.deployment.latency_report import Answers, Percentiles
from etram_pipeline.deployment.street import Packet
from etram_pipeline.streaming.selection import RawPredictions
from etram_pipeline.streaming.stream import DetectionStream
from etram_pipeline.streaming.window_model import Memories, WindowModel

Clock = Callable[[], float]
"""Seconds since any moment, such as `time.process_time`."""


@dataclass(frozen=True)
class WindowTimes:
    """What one window takes, in milliseconds.

    Attributes:
        answer_ms: From the packet that shows that the window is over to its boxes.
        total_ms: All its packets, and what follows.
        network_ms: The network alone.
    """

    answer_ms: float
    total_ms: float
    network_ms: float


class TimedModel(WindowModel):
    """A model, and how long its network takes.

    Args:
        model: The model.
        clock: What times are read from.

    Attributes:
        seconds: Time in the network since it was last set.
    """

    def __init__(self, model: WindowModel, clock: Clock) -> None:
        super().__init__(model.description)
        self._model, self._clock = model, clock
        self.seconds = 0.0

    @override
    def run(
        self, frames: Integer[np.ndarray, "B C H W"], memories: Memories
    ) -> tuple[RawPredictions, Memories]:
        start = self._clock()
        found = self._model.run(frames, memories)
        self.seconds += self._clock() - start
        return found


def time_windows(
    stream: DetectionStream, model: TimedModel, packets: Iterable[Packet], clock: Clock
) -> Iterator[WindowTimes]:
    """What each window takes, one after another, when events come as fast as they are taken.

    Args:
        stream: Detects with `model`.
        model: The model.
        packets: Events; reading them is not counted.
        clock: What times are read from.
    """
    total = 0.0
    model.seconds = 0.0
    for packet in packets:
        start = clock()
        found = list(stream.push(packet))
        spent = clock() - start
        total += spent
        if found:
            yield WindowTimes(1e3 * spent, 1e3 * total, 1e3 * model.seconds)
            total = model.seconds = 0.0


def answers_by_parts(
    answer_ms: Sequence[float], *, step_ms: float, packet_ms: float, room: int = 1
) -> Answers:
    """When the boxes of windows would be there if a core was always free.

    Windows end every `step_ms`, and a packet later that is known. One window is computed at a time;
    of those that wait, only the newest `room` are kept.

    Args:
        answer_ms: What each window takes.
        step_ms: Time from window to window.
        packet_ms: Time from packet to packet.
        room: Most windows that wait.
    """
    waiting: deque[tuple[float, float]] = deque()
    latencies: list[float] = []
    free_ms, num_left_out = 0.0, 0

    def answer(until_ms: float) -> float:
        """Compute what waits and can begin by then; the time at which the last one ends."""
        free = free_ms
        while waiting and free <= until_ms:
            known_ms, takes_ms = waiting.popleft()
            free = max(free, known_ms) + takes_ms
            latencies.append(free - known_ms + packet_ms)
        return free

    for number, takes_ms in enumerate(answer_ms):
        known_ms = number * step_ms
        free_ms = answer(known_ms)
        if len(waiting) == room:
            waiting.popleft()
            num_left_out += 1
        waiting.append((known_ms, takes_ms))
    free_ms = answer(np.inf)
    return Answers(
        latency=Percentiles.of(latencies),
        num_windows=len(latencies),
        num_left_out=num_left_out,
    )

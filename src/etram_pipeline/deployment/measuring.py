"""Measures one combination in a process of its own, so that start and memory are its own.

`python -m etram_pipeline.deployment.measuring job.json measured.json` does what one file describes
and writes the result to the other.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from pydantic import PositiveInt

from etram_pipeline.core.component import Settings
from etram_pipeline.core.errors import TooSlowError
from etram_pipeline.core.machine import peak_memory
from etram_pipeline.deployment.accounting import TimedModel, answers_by_parts, time_windows
from etram_pipeline.deployment.engines import EngineConfig
from etram_pipeline.deployment.latency_report import Answers, Combination, Measured, Percentiles
from etram_pipeline.deployment.other_work import OtherWork
from etram_pipeline.deployment.street import PACKET_US, Packet, Street
from etram_pipeline.streaming.description import Description
from etram_pipeline.streaming.live import LiveStream
from etram_pipeline.streaming.stream import DetectionStream

WARM_UP = 5
"""Windows before the first one that counts: caches fill, and the processor speeds up."""


class Job(Settings):
    """One combination, as plain data.

    Attributes:
        combination: What is measured.
        engine: What computes the windows.
        path: The file that it reads.
        description: What the exported detector says about itself.
        street: File of the events.
        per_packet: Events of a packet.
        windows: Windows that count.
        started_s: When the process was started, by the clock that all processes share.
    """

    combination: Combination
    engine: EngineConfig
    path: Path
    description: Description
    street: Path
    per_packet: PositiveInt
    windows: PositiveInt
    started_s: float


def measure(job: Job) -> Measured:
    """Times and memory of one combination in this process, which must have done nothing else."""
    threads = job.combination.threads
    model = TimedModel(
        job.engine.load(job.path, job.description, threads=threads), time.process_time
    )
    street = Street(job.street, job.per_packet)
    _answer_first(_stream(model), street.packets(packets_of(job.description, 2)))
    start_s, start_cpu_s = time.monotonic() - job.started_s, time.process_time()
    # One more, which shows that the last window is over.
    num_packets = packets_of(job.description, WARM_UP + job.windows) + 1
    other_work = OtherWork()
    times = list(
        time_windows(_stream(model), model, street.packets(num_packets), time.process_time)
    )[WARM_UP:]
    answer_ms = [each.answer_ms for each in times]
    step_ms = step_ms_of(job.description)
    by_parts = answers_by_parts(answer_ms, step_ms=step_ms, packet_ms=PACKET_US / 1e3)
    return Measured(
        combination=job.combination,
        by_clock=answers_by_clock(_stream(model), street.packets(num_packets), job.windows),
        by_parts=by_parts if threads == 1 else None,
        window_cpu=Percentiles.of([each.total_ms for each in times]),
        network_cpu=Percentiles.of([each.network_ms for each in times]),
        least_network_cpu_ms=min(each.network_ms for each in times),
        realtime_factor=step_ms * len(times) / sum(each.total_ms for each in times),
        start_s=start_s,
        start_cpu_s=start_cpu_s,
        peak_mb=peak_memory() / 1e6,
        others_share=other_work.share(),
    )


def answers_by_clock(
    stream: DetectionStream,
    packets: Iterable[Packet],
    num_windows: int,
    warm_up: int = WARM_UP,
) -> Answers:
    """When boxes are there, if another thread hands over each packet when its last event happens.

    Windows that the detector has no time for are left out.

    Args:
        stream: Detects.
        packets: Events.
        num_windows: Windows that count, after the first ones.
        warm_up: Number of these.

    Raises:
        TooSlowError: If all windows were left out.
    """
    paced = Paced(packets)
    latencies: list[float] = []
    num_left_out = 0
    counted = range(warm_up + 1, warm_up + num_windows + 1)
    for each in LiveStream(stream, when_slow="newest").run(paced):
        if each.result.stop_us // stream.cutter.step_us in counted:
            latencies.append(paced.ms_since(each.result.stop_us))
            num_left_out += each.num_skipped
    if not latencies:
        raise TooSlowError(f"all of {num_windows} windows were left out: measure more of them")
    return Answers(
        latency=Percentiles.of(latencies), num_windows=len(latencies), num_left_out=num_left_out
    )


class Paced:
    """Packets, each when its last event happens on a clock that starts with the first one."""

    def __init__(self, packets: Iterable[Packet]) -> None:
        self._packets = packets
        self._began_s = 0.0

    def __iter__(self) -> Iterator[Packet]:
        self._began_s = time.perf_counter()
        for number, packet in enumerate(self._packets, start=1):
            time.sleep(max(0, self._began_s + number * PACKET_US / 1e6 - time.perf_counter()))
            yield packet

    def ms_since(self, event_us: int) -> float:
        """Milliseconds since an event happened."""
        return 1e3 * (time.perf_counter() - self._began_s) - event_us / 1e3


def packets_of(description: Description, num_windows: int) -> int:
    """Packets that hold so many windows."""
    return -(-round(1e3 * num_windows * step_ms_of(description)) // PACKET_US)


def step_ms_of(description: Description) -> float:
    """Time from window to window."""
    return float(description.encoding.windows.step_ms)


def _stream(model: TimedModel) -> DetectionStream:
    """A new stream from the sensor that the detector was exported for."""
    frames, scale = model.description.frames, model.description.downsampled_by
    return DetectionStream(model, scale * frames.height, scale * frames.width)


def _answer_first(stream: DetectionStream, packets: Iterable[Packet]) -> None:
    """Compute the first window."""
    found = (result for packet in packets for result in stream.push(packet))
    list(islice(found, 1))


def main(job: Path, result: Path) -> None:
    """Measure what one file describes, and write the result to another."""
    measured = measure(Job.model_validate_json(job.read_text()))
    result.write_text(measured.model_dump_json())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

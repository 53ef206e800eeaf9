"""What was measured of an exported detector on one machine."""

from collections.abc import Iterator, Sequence

import numpy as np

from etram_pipeline.core.component import Settings
from etram_pipeline.core.counts import counted
from etram_pipeline.core.metric_names import metric_name
from etram_pipeline.streaming.description import FrameShape

BUSY_SHARE = 0.2
"""Share of the machine that others may use before times are doubtful."""


class Percentiles(Settings):
    """How long most windows, nearly all and all but one in a hundred take, in milliseconds."""

    p50_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, values_ms: Sequence[float]) -> "Percentiles":
        """Percentiles of one value per window, interpolated linearly.

        Raises:
            ValueError: If there is none.
        """
        if not values_ms:
            raise ValueError("percentiles of nothing were asked for")
        p50, p95, p99 = np.percentile(values_ms, (50, 95, 99)).tolist()
        return cls(p50_ms=p50, p95_ms=p95, p99_ms=p99)


class Combination(Settings):
    """What was measured.

    Attributes:
        engine: Name of the engine.
        threads: Threads that compute one window.
        million_events_per_s: Rate of the events.
    """

    engine: str
    threads: int
    million_events_per_s: float

    def __str__(self) -> str:
        threads = counted(self.threads, "thread")
        return f"{self.engine}, {threads}, {self.million_events_per_s:g} M events/s"


class Answers(Settings):
    """When the boxes of windows were there.

    Attributes:
        latency: From the end of a window on the clock of its events to its boxes.
        num_windows: Windows that were answered.
        num_left_out: Windows that were left out, because newer ones waited.
    """

    latency: Percentiles
    num_windows: int
    num_left_out: int


class Measured(Settings):
    """Times and memory of one combination.

    Attributes:
        combination: What was measured.
        by_clock: Answers to events that another thread hands over in real time, in packets. Other
            work on the machine delays them.
        by_parts: Answers computed from the processor time of each window, as if a core was always
            free: a packet, then reading, drawing, network and selection, and waiting while another
            window is computed. None with several threads, whose processor time is not a duration.
        window_cpu: Processor time per window, of everything and all threads.
        network_cpu: Processor time per window of the network alone.
        least_network_cpu_ms: The least of it.
        realtime_factor: Time that passes while windows come, by the processor time they take.
        start_s: From the start of the process to the first boxes, in seconds.
        start_cpu_s: Processor time until then, in seconds.
        peak_mb: Most memory of the process.
        others_share: Share of the machine's processor time that other processes used meanwhile;
            None if the system does not report it.
    """

    combination: Combination
    by_clock: Answers
    by_parts: Answers | None
    window_cpu: Percentiles
    network_cpu: Percentiles
    least_network_cpu_ms: float
    realtime_factor: float
    start_s: float
    start_cpu_s: float
    peak_mb: float
    others_share: float | None

    @property
    def is_doubtful(self) -> bool:
        """Whether other work used so much of the machine that times by the clock are too long."""
        return self.others_share is not None and self.others_share > BUSY_SHARE


class Failed(Settings):
    """A combination that could not be measured, and why."""

    combination: Combination
    reason: str


class EngineScore(Settings):
    """What rounding costs.

    Attributes:
        engine: Name of the engine.
        average_precision: Of its detections in the test recordings, from 0 to 1.
        drop: How much lower this is than in single precision.
        is_accepted: Whether it is less than half a point of 100.
    """

    engine: str
    average_precision: float
    drop: float
    is_accepted: bool


class Machine(Settings):
    """Where it was measured.

    Attributes:
        processor: Name of the processor.
        cores: Cores that the process may use.
        system: Operating system.
        load_average: Processes that ran or waited in the minute before; None if not known.
        versions: Version of Python and of each package that takes part.
    """

    processor: str
    cores: int
    system: str
    load_average: float | None
    versions: dict[str, str]


class DeploymentReport(Settings):
    """How fast an exported detector is on one machine.

    Attributes:
        machine: Where it was measured.
        frames: Shape of the frames.
        height: Rows of the sensor whose events were simulated, in px.
        width: Columns of the sensor, in px.
        step_ms: Time from window to window.
        packet_ms: Time from packet to packet of events.
        measured: What was measured.
        failed: What could not be measured.
        scores: Of engines that round numbers, and of the one they are compared with.
        protocol: How the scores are computed.
    """

    machine: Machine
    frames: FrameShape
    height: int
    width: int
    step_ms: float
    packet_ms: float
    measured: tuple[Measured, ...]
    failed: tuple[Failed, ...] = ()
    scores: tuple[EngineScore, ...] = ()
    protocol: str = ""

    def numbers(self) -> dict[str, float]:
        """Metrics for MLflow: `deploy/latency/p50_ms` of the first combination, then of each."""
        named: dict[str, float] = {}
        for number, each in enumerate(self.measured):
            of = each.combination
            rate = f"{of.million_events_per_s:g}M_{of.threads}t"
            for name, value in _numbers_of(each):
                if number == 0:
                    named[metric_name("deploy", "latency", name)] = value
                named[metric_name("deploy", "latency", of.engine, rate, name)] = value
        for score in self.scores:
            named[metric_name("deploy", "AP", score.engine)] = score.average_precision
        return named


def _numbers_of(measured: Measured) -> Iterator[tuple[str, float]]:
    """Names and values of what is logged of a combination."""
    yield from measured.by_clock.latency.model_dump().items()
    yield "left_out", measured.by_clock.num_left_out
    if measured.by_parts is not None:
        yield "by_parts_p50_ms", measured.by_parts.latency.p50_ms
    yield "cpu_ms", measured.window_cpu.p50_ms
    yield "network_cpu_ms", measured.network_cpu.p50_ms
    yield "realtime_factor", measured.realtime_factor
    yield "start_s", measured.start_s
    yield "peak_mb", measured.peak_mb

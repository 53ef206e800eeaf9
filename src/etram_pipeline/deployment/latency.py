"""How old boxes are when they are there, by engine, threads and rate of events.

Latency is counted from the end of a window on the clock of its events to its boxes. It includes the
packet that shows that the window is over, reading, drawing, the network, and selecting boxes.
"""

import logging
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from etram_pipeline.clips.representations import WindowRepresentations
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.core.machine import available_cores, processor_name
from etram_pipeline.deployment.accuracy import average_precision
from etram_pipeline.deployment.engines import EngineConfig, EngineFiles
from etram_pipeline.deployment.latency_report import (
    Combination,
    DeploymentReport,
    EngineScore,
    Failed,
    Machine,
    Measured,
)
from etram_pipeline.deployment.latency_settings import MOST_DROP, LatencySettings
from etram_pipeline.deployment.measuring import Job, step_ms_of
from etram_pipeline.deployment.street import PACKET_US, Street, write_street
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.streaming.description import Description
from etram_pipeline.streaming.model import ExportedModel, read_description
from etram_pipeline.streaming.stream import DetectionStream

logger = logging.getLogger(__name__)

_PACKAGES = ("numpy", "numba", "onnxruntime", "openvino", "torch")


@dataclass(frozen=True)
class LabelledRecordings:
    """Recordings in which engines that round numbers are scored.

    Attributes:
        representations: Representations of each recording.
        labels: Labels of the same recordings.
        protocol: How detections are compared with labels.
    """

    representations: Mapping[str, WindowRepresentations]
    labels: Mapping[str, LabelTable]
    protocol: Protocol


def measure_latency(
    files: EngineFiles, settings: LatencySettings, labelled: LabelledRecordings | None = None
) -> DeploymentReport:
    """Measure every combination of the settings, each in a process of its own.

    A combination that fails or takes too long is reported as such.

    Args:
        files: What the engines are made from.
        settings: What to measure.
        labelled: Where engines that round numbers are scored; None: they are not.

    Raises:
        SettingsError: If an engine needs something that is missing.
        ExportError: If the exported detector cannot be read.
    """
    if faults := [fault for engine in settings.engines if (fault := engine.find_fault())]:
        raise SettingsError("; ".join(faults))
    description = read_description(files.exported).model_copy(update={"test_vector": None})
    frames, scale = description.frames, description.downsampled_by
    height, width = scale * frames.height, scale * frames.width
    machine = describe_machine()
    _compile_kernels(files.exported, height, width)
    with TemporaryDirectory() as name:
        folder = Path(name)
        prepared = {each.name: (each, each.prepare(files, folder)) for each in settings.engines}
        results = []
        for rate in settings.million_events_per_s:
            street = write_street(folder / "events", 1e6 * rate, height, width)
            for each, path in prepared.values():
                for threads in settings.threads:
                    of = Combination(engine=each.name, threads=threads, million_events_per_s=rate)
                    child = _Child(of, each, path, description, street)
                    results.append(_logged(child.run(settings, folder)))
        scores = tuple(_scores(prepared, description, labelled)) if labelled else ()
    return DeploymentReport(
        machine=machine,
        frames=frames,
        height=height,
        width=width,
        step_ms=step_ms_of(description),
        packet_ms=PACKET_US / 1e3,
        measured=tuple(each for each in results if isinstance(each, Measured)),
        failed=tuple(each for each in results if isinstance(each, Failed)),
        scores=scores,
        protocol=labelled.protocol.name if labelled and scores else "",
    )


def _compile_kernels(exported: Path, height: int, width: int) -> None:
    """Fill the cache of what is compiled once on a machine, so that no start includes it."""
    DetectionStream(ExportedModel(exported), height, width).warm_up()


def describe_machine() -> Machine:
    """This machine and what is installed."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return Machine(
        processor=processor_name(),
        cores=available_cores(),
        system=platform.platform(),
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        versions=versions,
    )


@dataclass(frozen=True)
class _Child:
    """One combination, to be measured in another process."""

    combination: Combination
    engine: EngineConfig
    path: Path
    description: Description
    street: Street

    def run(self, settings: LatencySettings, folder: Path) -> Measured | Failed:
        """Measure it."""
        job, result, log = folder / "job.json", folder / "measured.json", folder / "log.txt"
        result.unlink(missing_ok=True)
        plain = Job(
            combination=self.combination,
            engine=self.engine,
            path=self.path,
            description=self.description,
            street=self.street.path,
            per_packet=self.street.per_packet,
            windows=settings.windows,
            started_s=0,
        )
        module = [sys.executable, "-m", "etram_pipeline.deployment.measuring"]
        with log.open("wb") as output:
            started = plain.model_copy(update={"started_s": time.monotonic()})
            job.write_text(started.model_dump_json(serialize_as_any=True))
            try:
                subprocess.run(
                    [*module, str(job), str(result)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=self._environment(),
                    timeout=settings.limit_s,
                    check=True,
                )
            except subprocess.TimeoutExpired:
                return self._failed(f"not done after {settings.limit_s:g} s")
            except subprocess.CalledProcessError as error:
                return self._failed(_last_line(log) or f"ended with code {error.returncode}")
        return Measured.model_validate_json(result.read_text())

    def _environment(self) -> dict[str, str]:
        """That of this process, with its imports, and as many threads everywhere."""
        threads = str(self.combination.threads)
        paths = os.pathsep.join(filter(None, sys.path))
        return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": threads}

    def _failed(self, reason: str) -> Failed:
        return Failed(combination=self.combination, reason=reason)


def _last_line(log: Path) -> str:
    """The last line of what a process said, which is its error."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _logged(result: Measured | Failed) -> Measured | Failed:
    if isinstance(result, Failed):
        logger.warning("%s: %s", result.combination, result.reason)
        return result
    latency = result.by_clock.latency
    logger.info(
        "%s: latency %.0f ms (p50), %.0f ms (p95), %d of %d windows left out, %.1f ms of processor "
        "time per window",
        result.combination,
        latency.p50_ms,
        latency.p95_ms,
        result.by_clock.num_left_out,
        result.by_clock.num_left_out + result.by_clock.num_windows,
        result.window_cpu.p50_ms,
    )
    if result.is_doubtful:
        logger.warning(
            "%s: other programs used %.0f %% of the machine, so times by the clock are too long: "
            "compare processor time, or measure again on an idle machine",
            result.combination,
            100 * (result.others_share or 0),
        )
    return result


def _scores(
    prepared: Mapping[str, tuple[EngineConfig, Path]],
    description: Description,
    labelled: LabelledRecordings,
) -> Iterator[EngineScore]:
    """Scores of the engines that round numbers, after that of the first one that does not."""
    exact = [name for name, (engine, _) in prepared.items() if engine.is_exact]
    rounding = [name for name, (engine, _) in prepared.items() if not engine.is_exact]
    if not rounding or not exact or not labelled.representations:
        return
    reference = None
    for name in (exact[0], *rounding):
        engine, path = prepared[name]
        model = engine.load(path, description, threads=available_cores())
        found = average_precision(
            model, labelled.representations, labelled.labels, labelled.protocol
        )
        reference = found if reference is None else reference
        drop = reference - found
        yield EngineScore(
            engine=name, average_precision=found, drop=drop, is_accepted=drop < MOST_DROP
        )

"""Estimates whether memory suffices; the system kills processes that run out of it.

Each detector has its own estimate of what computing takes: `DetectorConfig.working_bytes`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from etram_pipeline.builds.executors.processes import Config as Processes
from etram_pipeline.clips.workers import wanted_workers
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.machine import available_memory, num_cores
from etram_pipeline.events.recording import open_recording
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.workload import Workload
from etram_pipeline.preflight.run import Notice, Run, of_splits
from etram_pipeline.training.settings import TrainSettings

_READER_BYTES = 100 * 2**20
_WORKER_BYTES = 300 * 2**20
"""Peak of a process that encodes a recording, see docs/etram.md."""

_BATCHES_AHEAD = 2
_SURELY_TOO_MUCH = 2.0
"""Times the available memory: in bfloat16 half of the estimate may do."""

_GPUS = (Path("/dev/nvidia0"), Path("/dev/kfd"))


@dataclass(frozen=True)
class RepresentationSize:
    """One representation.

    Attributes:
        channels: Its channels.
        height: Its rows.
        width: Its columns.
        labelled: Share of the windows that end at a labelled frame; 1 if it is not known.
    """

    channels: int
    height: int
    width: int
    labelled: float = 1.0

    @property
    def num_bytes(self) -> int:
        """Its size, at one byte a value."""
        return self.channels * self.height * self.width

    def clip(self, length: int, scale: float = 1.0) -> Workload:
        """A clip of so many windows, which has at least one keyframe, at a scale."""
        return Workload(
            height=round(self.height * scale),
            width=round(self.width * scale),
            num_windows=length,
            num_keyframes=max(self.labelled * length, 1.0),
        )


@dataclass(frozen=True)
class MemoryNeed:
    """Memory that a part of the run needs at once.

    Attributes:
        lanes: Recordings read side by side.
        length: Windows read of each at once.
        workers: Processes that read.
        clip_bytes: What computing on the windows of one lane takes, beside the windows themselves.
    """

    lanes: int
    length: int
    workers: int
    clip_bytes: float

    def num_bytes(self, frame: RepresentationSize, lanes: int | None = None) -> float:
        """Bytes for frames of a size, in all lanes or in so many."""
        ahead = _BATCHES_AHEAD * self.workers + 2
        per_lane = self.length * frame.num_bytes * ahead + self.clip_bytes
        return (lanes or self.lanes) * per_lane + self.workers * _READER_BYTES


def check(run: Run) -> Iterator[Notice]:
    """Batches and processes that do not fit into memory."""
    available = available_memory()
    if available is None:
        return
    yield from _encoding(run, available)
    if not run.makes & {"checkpoint", "detections"}:
        return
    frame = representation_size(run)
    if frame is None:
        return
    if "checkpoint" in run.makes:
        yield from _training(run, frame, available)
    if "detections" in run.makes:
        yield from _detection(run, frame, available)


def _training(run: Run, frame: RepresentationSize, available: int) -> Iterator[Notice]:
    train = run.parameter("train", TrainSettings.model_validate)
    on_gpu = train.accelerator == "gpu" or (train.accelerator == "auto" and _has_gpu())
    config = None if on_gpu else run.parameter("detector", DetectorConfig.model_validate)
    workers = wanted_workers(train.workers, on_gpu=on_gpu)
    enlarged = frame.clip(train.clip_length, max(train.resolution.scales, default=1.0))
    computing = _computing_bytes(config, enlarged, training=True)
    learning = MemoryNeed(train.lanes, train.clip_length, workers, computing)
    yield from _compare(learning, frame, available // train.devices, "train")
    num_val = len(of_splits(run.encoded or frozenset(), ("val",)))
    lanes = min(train.validation.lanes, num_val)
    if lanes:
        computing = _computing_bytes(config, frame.clip(train.clip_length), training=False)
        scoring = MemoryNeed(lanes, train.clip_length, workers, computing)
        yield from _compare(scoring, frame, available // train.devices, "train.validation")


def _detection(run: Run, frame: RepresentationSize, available: int) -> Iterator[Notice]:
    predict = run.parameter("predict", PredictSettings.model_validate)
    on_gpu = predict.device.startswith("cuda") or (predict.device == "auto" and _has_gpu())
    config = run.trained.config if run.trained else None
    if "checkpoint" in run.makes:
        config = run.parameter("detector", DetectorConfig.model_validate)
    if predict.windows == "all":
        frame = replace(frame, labelled=1.0)
    lanes = min(predict.lanes, len(run.detected or ()))
    if lanes:
        length = min(predict.clip_length, _longest(run))
        workers = wanted_workers(predict.workers, on_gpu=on_gpu)
        enlarged = frame.clip(length, max(predict.augmentation.scales))
        computing = _computing_bytes(None if on_gpu else config, enlarged, training=False)
        need = MemoryNeed(lanes, length, workers, computing)
        yield from _compare(need, frame, available, "predict")


def _computing_bytes(config: DetectorConfig | None, load: Workload, *, training: bool) -> float:
    """What a detector takes; none for a GPU, whose memory is not estimated."""
    return config.working_bytes(load, training=training) if config else 0.0


def _compare(
    need: MemoryNeed, frame: RepresentationSize, available: int, where: str
) -> Iterator[Notice]:
    wanted = need.num_bytes(frame)
    if wanted <= available:
        return
    per_lane = need.num_bytes(frame, lanes=1)
    fixed = need.workers * _READER_BYTES
    fitting = int((available - fixed) // (per_lane - fixed))
    remedy = f"lower {where}.lanes to about {fitting}" if fitting > 0 else "read fewer windows"
    clips = "train.clip_length" if where.startswith("train") else f"{where}.clip_length"
    processes = f" by {need.workers} processes" if need.workers > 1 else ""
    yield Notice(
        f"{where}.lanes={need.lanes} of {need.length} windows of {frame.channels} x {frame.height} "
        f"x {frame.width} px, read ahead{processes}, need about {_gigabytes(wanted)} of memory, "
        f"of which {_gigabytes(available)} are free: {remedy}, or lower {clips}, the number of "
        "workers or the resolution",
        is_fault=wanted > _SURELY_TOO_MUCH * available,
    )


def _encoding(run: Run, available: int) -> Iterator[Notice]:
    executor = getattr(run.dataset("histograms"), "executor", None)
    if "histograms" not in run.makes or not isinstance(executor, Processes) or not run.recordings:
        return
    workers = min(executor.workers or num_cores(), len(run.recordings))
    wanted = workers * _WORKER_BYTES
    if executor.workers and wanted > available:
        yield Notice(
            f"executor.workers={executor.workers} need about {_gigabytes(wanted)} of memory, of "
            f"which {_gigabytes(available)} are free: lower them to about "
            f"{max(available // _WORKER_BYTES, 1)}",
            is_fault=wanted > _SURELY_TOO_MUCH * available,
        )


def representation_size(run: Run) -> RepresentationSize | None:
    """Representations of the first recording; others are seldom larger."""
    if run.histograms:
        stored = run.histograms[next(iter(run.histograms))]
        labelled = len(stored.frame_windows) / max(stored.num_windows, 1)
        return RepresentationSize(stored.channels, stored.height, stored.width, min(labelled, 1.0))
    if "histograms" not in run.makes:
        return None
    dataset = run.parameter("dataset", DatasetSettings.model_validate)
    sensor = dataset.height, dataset.width
    first = next(iter((run.recordings or {}).values()), None)
    if first is not None and first.is_file():
        try:
            recording = open_recording(first, size=sensor)
        except (RecordingError, ValueError):  # reported by the check of files
            return None
        sensor = recording.height, recording.width
    representation = run.parameter("representation", RepresentationConfig.model_validate)
    return RepresentationSize(representation.channels, *representation.image_size(*sensor))


def _longest(run: Run) -> int:
    """Windows of the longest recording, if known, or an estimate."""
    summaries = run.histograms.summaries if run.histograms else {}
    known = [summaries[key].num_windows for key in run.detected or () if key in summaries]
    return max(known, default=_most_windows(run))


def _most_windows(run: Run) -> int:
    """Windows in the largest file, assuming ten million events per second of two bytes each."""
    files = [path for path in (run.recordings or {}).values() if path.is_file()]
    seconds = max((path.stat().st_size for path in files), default=10**9) / 20e6
    return max(int(20 * seconds), 1)


def _has_gpu() -> bool:
    return any(path.exists() for path in _GPUS)


def _gigabytes(num_bytes: float | int) -> str:
    return f"{num_bytes / 1e9:.1f} GB"

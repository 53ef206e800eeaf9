"""Detection in whole recordings."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TypeVar

import torch

from etram_pipeline.clips.dataset import ClipDataset
from etram_pipeline.clips.detections import DetectionCollector
from etram_pipeline.clips.loading import Loader, ScheduleSampler, clip_loader, window_bytes
from etram_pipeline.clips.representations import WindowRepresentations
from etram_pipeline.clips.schedule import Lanes, Step, labelled_span, whole_schedule
from etram_pipeline.clips.workers import num_workers
from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.core.counts import counted_of
from etram_pipeline.core.progress import report_progress
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.inference.augmentation import check_augmentation, detect_in_views
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.inference.window_rate import match_window_rate
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.models.detector import Detector, State
from etram_pipeline.models.execution import Precision
from etram_pipeline.models.hardware import check_gpu, resolve_precision, set_thread_counts

Stored = TypeVar("Stored", bound=WindowRepresentations)

_AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def predict_recordings(
    detector: Detector,
    representations: Mapping[str, WindowRepresentations],
    settings: PredictSettings,
    trained_on: EncodingSettings | None = None,
) -> Iterator[tuple[str, DetectionTable]]:
    """Detect in every recording, and carry the detector's state from window to window.

    Args:
        detector: The detector; it is moved to the device of the settings.
        representations: Representations by recording, all of one size.
        settings: Device, precision and windows.
        trained_on: Settings of the representations that the detector was trained on, from its
            checkpoint. Detectors that scale with time adapt if the time between windows differs.

    Yields:
        Key and detections of each recording when it is finished; boxes in px of the sensor, sorted
        by time.

    Raises:
        SettingsError: If the settings ask for views of each frame, but the detector has a memory.
    """
    check_augmentation(detector, settings.augmentation)
    recordings = dict(representations)
    match_window_rate(detector, trained_on, (stored.encoding for stored in recordings.values()))
    device = device_of(settings.device)
    lanes = min(settings.lanes, len(recordings)) if detector.computes_lanes_apart else 1
    set_thread_counts(settings.workers, lanes)
    steps = _steps(recordings, settings)
    clips_left = Counter(clip.recording for step in steps for clip in step if clip)
    collector = DetectionCollector(
        {name: stored.downsampled_by for name, stored in recordings.items()}
    )
    yield from ((name, collector.take(name)) for name in recordings if name not in clips_left)
    dataset = ClipDataset(recordings, keyframes=settings.windows)
    sampler = ScheduleSampler(partial(iter, steps), len(steps))
    batch_bytes = settings.lanes * settings.clip_length * window_bytes(recordings)
    workers = num_workers(settings.workers, batch_bytes, on_gpu=device.type == "cuda")
    loader = clip_loader(dataset, sampler, workers, pin_memory=device.type == "cuda")
    detected = _detect(detector.to(device).eval(), loader, device, settings)
    for number, (batch, found) in enumerate(detected, start=1):
        collector.add(batch, found)
        num_done = sum(not left for left in clips_left.values())
        progress = counted_of(num_done, len(clips_left), "recording")
        text = f"{progress}, {number} of {len(steps)} batches"
        report_progress(text, number, len(steps))
        for name in filter(None, batch.recordings):
            clips_left[name] -= 1
            if not clips_left[name]:
                yield name, collector.take(name)


def predict_any_sizes(
    detector: Detector,
    representations: Mapping[str, WindowRepresentations],
    settings: PredictSettings,
    trained_on: EncodingSettings | None = None,
) -> Iterator[tuple[str, DetectionTable]]:
    """Detections of recordings of one or several sizes, size by size; see `predict_recordings`."""
    for alike in by_size(representations):
        yield from predict_recordings(detector, alike, settings, trained_on)


def by_size(
    representations: Mapping[str, Stored],
) -> Iterator[dict[str, Stored]]:
    """The recordings of each size, smallest first: all images of a batch have the same size."""
    sizes = sorted({(each.height, each.width) for each in representations.values()})
    for size in sizes:
        yield {
            key: each for key, each in representations.items() if (each.height, each.width) == size
        }


def predict_recording(
    detector: Detector,
    representations: WindowRepresentations,
    settings: PredictSettings,
    trained_on: EncodingSettings | None = None,
) -> DetectionTable:
    """Detections of one recording; see `predict_recordings`."""
    ((_, table),) = predict_recordings(
        detector, {"recording": representations}, settings, trained_on
    )
    return table


def arithmetic(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Context manager in which the device computes with `precision`."""
    if precision not in _AUTOCAST:
        return nullcontext()
    return torch.autocast(device.type, _AUTOCAST[precision])


def _detect(
    detector: Detector, loader: Loader, device: torch.device, settings: PredictSettings
) -> Iterator[tuple[SequenceBatch, list[Detections]]]:
    precision = resolve_precision(settings.precision, on_gpu=device.type == "cuda")
    state: State = ()
    batch: SequenceBatch
    for batch in loader:
        with torch.inference_mode(), arithmetic(device, precision):
            moved = batch.to(device)
            if settings.augmentation.is_plain:
                found, state = detector.detect(moved, state, settings.suppression)
            else:
                found = detect_in_views(
                    detector, moved, settings.suppression, settings.augmentation
                )
        yield batch, found


def device_of(name: str) -> torch.device:
    """The device that `predict.device` names.

    Raises:
        SettingsError: If it is a GPU that is not there.
    """
    if name.startswith("cuda"):
        check_gpu("predict.device", name)
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def num_windows_read(
    recordings: Mapping[str, WindowRepresentations], settings: PredictSettings
) -> int:
    """Number of windows that detecting in these recordings reads."""
    return sum(map(len, _spans(recordings, settings).values()))


def _steps(
    recordings: Mapping[str, WindowRepresentations], settings: PredictSettings
) -> list[Step]:
    """Steps that read all recordings."""
    spans = _spans(recordings, settings)
    lanes = Lanes(min(settings.lanes, max(len(spans), 1)))
    return whole_schedule(spans, lanes, settings.clip_length)


def _spans(
    recordings: Mapping[str, WindowRepresentations], settings: PredictSettings
) -> dict[str, range]:
    """Windows to read of each recording, starting one clip before the first wanted one."""
    return {
        name: labelled_span(stored.frame_windows, stored.num_windows, settings.clip_length)
        if settings.windows == "labelled"
        else range(stored.num_windows)
        for name, stored in recordings.items()
    }

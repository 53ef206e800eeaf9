"""Which program computes a trained detector over recordings: PyTorch or ONNX Runtime."""

import logging
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Shaped

from etram_pipeline.clips.representations import WindowRepresentations
from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import ExportError, ParityError, SettingsError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.deployment.export import ExportedFor, export_detector, weights_fingerprint
from etram_pipeline.deployment.parity import check_parity
from etram_pipeline.deployment.requirements import (
    EXPORTERS,
    RUNNERS,
    find_export_fault,
    find_missing_packages,
)
from etram_pipeline.deployment.settings import DeploySettings, ParitySettings
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.inference.predict import arithmetic, device_of, num_windows_read
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.checkpoint import Checkpoint
from etram_pipeline.models.detector import Detector
from etram_pipeline.models.exported import ExportedDetector
from etram_pipeline.models.hardware import resolve_precision, set_thread_counts
from etram_pipeline.models.timing import knows_time
from etram_pipeline.streaming.description import FORMAT

logger = logging.getLogger(__name__)

EXPORT_S = 30.0
"""Time that an export takes, which depends little on the detector and its frames."""

LEAST_SHARE = 0.4
"""Lowest time of a window by ONNX Runtime that was measured, as a share of PyTorch's."""

CHECKED_WINDOWS = 20
"""Windows in which a file is compared with its checkpoint before it is used."""

_MEASURED_WINDOWS = 4
_MEASURED_S = 1.0
_CPU = torch.device("cpu")


def choose_detector(
    trained: Checkpoint,
    recordings: Mapping[str, WindowRepresentations],
    settings: PredictSettings,
    folder: Path,
) -> tuple[Detector, EncodingSettings | None]:
    """The detector of a checkpoint as `predict.runtime` says.

    A file is exported once for a checkpoint, the size of its frames and their windows. It is used
    only if it detects what PyTorch detects in single precision.

    Args:
        trained: The detector. An exported one is returned as it is.
        recordings: What it will detect in, all of one size.
        settings: How.
        folder: Where exported files are kept.

    Returns:
        The detector, and the settings of the representations that it is made for.

    Raises:
        ExportError: If `predict.runtime` is `onnx` and the detector cannot be exported or run.
        ParityError: If it is `onnx`, and the exported file detects something else.
        SettingsError: If it is `onnx` on a GPU.
    """
    filled = {key: stored for key, stored in recordings.items() if stored.num_windows}
    if settings.runtime == "torch" or trained.detector.frame_size is not None or not filled:
        return trained.detector, trained.encoding
    is_on_gpu = device_of(settings.device).type == "cuda"
    if settings.runtime == "onnx":
        if is_on_gpu and settings.device != "auto":
            raise SettingsError(
                f"predict.runtime is onnx, which computes on a CPU, but predict.device is "
                f"{settings.device}: set one of them to auto"
            )
        return _made_for(_exported(trained, filled, settings.suppression, folder), trained)
    if is_on_gpu:
        return trained.detector, trained.encoding
    faster = _faster_exported(trained, filled, settings, folder)
    return (trained.detector, trained.encoding) if faster is None else _made_for(faster, trained)


def _made_for(
    exported: ExportedDetector, trained: Checkpoint
) -> tuple[Detector, EncodingSettings | None]:
    # A detector that scales with time is exported for the windows that it will read.
    adapts = knows_time(trained.detector)
    return exported, exported.description.encoding if adapts else trained.encoding


def _faster_exported(
    trained: Checkpoint,
    recordings: Mapping[str, WindowRepresentations],
    settings: PredictSettings,
    folder: Path,
) -> ExportedDetector | None:
    """The exported detector, if it can be exported, agrees and is faster, and exporting repays."""
    fault = find_export_fault(trained.detector_config, is_exported=False) or find_missing_packages(
        RUNNERS
    )
    if fault or not settings.augmentation.is_plain:
        fault = fault or "predict.augmentation changes the size of frames"
        logger.info("predict.runtime auto: PyTorch is used, because %s", fault)
        return None
    set_thread_counts(settings.workers, min(settings.lanes, len(recordings)))
    batch = _first_clips(recordings, settings)
    num_windows = num_windows_read(recordings, settings)
    by_torch = _window_s(trained.detector, batch, settings)
    try:
        kept = _place(trained, recordings, folder)
        saved = num_windows * by_torch * (1 - LEAST_SHARE)
        if not kept.is_file() and saved < EXPORT_S:
            logger.info(
                "predict.runtime auto: PyTorch is used, which takes %.1f ms a window; exporting "
                "takes about %.0f s and would save at most %.0f s in %s",
                1e3 * by_torch,
                EXPORT_S,
                saved,
                counted(num_windows, "window"),
            )
            return None
        exported = _exported(trained, recordings, settings.suppression, folder)
    except (ExportError, ParityError) as error:
        logger.warning("predict.runtime auto: PyTorch is used, because %s", error)
        return None
    by_onnx = _window_s(exported, batch, settings)
    is_faster = by_onnx < by_torch
    logger.info(
        "predict.runtime auto: %s is used; a window takes %.1f ms by PyTorch (precision %s) and "
        "%.1f ms by ONNX Runtime (precision 32), whose boxes are those of PyTorch in precision 32",
        "ONNX Runtime" if is_faster else "PyTorch",
        1e3 * by_torch,
        resolve_precision(settings.precision, on_gpu=False),
        1e3 * by_onnx,
    )
    return exported if is_faster else None


def _exported(
    trained: Checkpoint,
    recordings: Mapping[str, WindowRepresentations],
    suppression: SuppressionSettings,
    folder: Path,
) -> ExportedDetector:
    """The exported detector of an earlier run, or a new one that was compared with its checkpoint.

    Runs that export at the same time write the same file, each as a whole.
    """
    if fault := find_missing_packages(RUNNERS):
        raise ExportError(fault)
    path = _place(trained, recordings, folder)
    if path.is_file():
        try:
            return ExportedDetector(path)
        except ExportError as error:
            logger.warning("%s; the detector is exported anew", error)
    target = _target(trained, recordings)
    logger.info(
        "exporting the detector for frames of %d x %d px to %s, for this run and later ones",
        target.height,
        target.width,
        path,
    )
    with written_whole(path) as partial:
        export_detector(trained, partial, target, DeploySettings(suppression=suppression))
        check_parity(
            trained,
            partial,
            map(_windows, recordings.values()),
            ParitySettings(windows=CHECKED_WINDOWS),
        )
    return ExportedDetector(path)


def _place(
    trained: Checkpoint, recordings: Mapping[str, WindowRepresentations], folder: Path
) -> Path:
    """Where the exported file of a detector is kept; its name tells all that it depends on."""
    target = _target(trained, recordings)
    identity = fingerprint(
        {
            "format": FORMAT,
            "weights": weights_fingerprint(trained.detector),
            "detector": trained.known_config(),
            "channels": trained.in_channels,
            "encoding": target.encoding,
            "versions": {name: version(name) for name in ("torch", *EXPORTERS)},
        }
    )
    return folder / f"{identity}_{target.height}x{target.width}.onnx"


def _target(trained: Checkpoint, recordings: Mapping[str, WindowRepresentations]) -> ExportedFor:
    first = next(iter(recordings.values()))
    encoding = first.encoding or trained.encoding
    if encoding is None:
        raise ExportError(
            "neither the checkpoint nor the histograms say how windows were cut and encoded, which "
            "an exported file states: make histograms with `--pipelines preprocess`, or set "
            "predict.runtime=torch"
        )
    return ExportedFor(first.height, first.width, first.downsampled_by, encoding)


def _windows(stored: WindowRepresentations) -> Iterator[Shaped[np.ndarray, "C H W"]]:
    for window in range(stored.num_windows):
        yield stored.read(window, window + 1)[0]


def _first_clips(
    recordings: Mapping[str, WindowRepresentations], settings: PredictSettings
) -> SequenceBatch:
    """The first windows of as many recordings as are read in parallel."""
    chosen = list(recordings.values())[: settings.lanes]
    length = min(_MEASURED_WINDOWS, *(stored.num_windows for stored in chosen))
    frames = np.stack([stored.read(0, length) for stored in chosen], axis=1)
    every = [(t, lane) for t in range(length) for lane in range(len(chosen))]
    return SequenceBatch(
        frames=torch.from_numpy(frames),
        starts=torch.ones(len(chosen), dtype=torch.bool),
        keyframes=torch.tensor(every, dtype=torch.int64),
    )


def _window_s(detector: Detector, batch: SequenceBatch, settings: PredictSettings) -> float:
    """Least time that a window takes, in seconds, on as many cores as the run will use."""
    precision = resolve_precision(settings.precision, on_gpu=False)
    detector.eval()
    times: list[float] = []
    with torch.inference_mode(), arithmetic(_CPU, precision):
        detector.detect(batch, (), settings.suppression)  # the first call also prepares
        while sum(times) < _MEASURED_S:
            started = time.perf_counter()
            detector.detect(batch, (), settings.suppression)
            times.append(time.perf_counter() - started)
    return min(times) / len(batch.keyframes)

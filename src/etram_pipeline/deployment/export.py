"""From a checkpoint to one ONNX file that holds all that running the detector needs."""

import hashlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from etram_pipeline.core.errors import ExportError, SettingsError
from etram_pipeline.deployment.frames import Windows
from etram_pipeline.deployment.graph import EXAMPLE_LANES, export_graph
from etram_pipeline.deployment.requirements import EXPORTERS, find_export_fault
from etram_pipeline.deployment.settings import DeploySettings
from etram_pipeline.deployment.test_vector import make_test_vector
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.inference.window_rate import match_window_rate
from etram_pipeline.models.checkpoint import Checkpoint
from etram_pipeline.models.detector import Detector
from etram_pipeline.streaming.description import Description, FrameShape
from etram_pipeline.streaming.model_file import write_model_file


@dataclass(frozen=True)
class ExportedFor:
    """What a file is exported for.

    Attributes:
        height: Rows of a frame, in px of the representation.
        width: Columns of a frame, in px of the representation.
        downsampled_by: Px of the sensor per px of the frame, along each axis.
        encoding: Windows and representation that the file will read.
        class_names: Name of each class id, for a checkpoint without names; empty: its numbers.
    """

    height: int
    width: int
    downsampled_by: int
    encoding: EncodingSettings
    class_names: tuple[str, ...] = ()


def export_detector(
    checkpoint: Checkpoint,
    path: Path,
    exported_for: ExportedFor,
    settings: DeploySettings,
    test_windows: Windows | None = None,
) -> Description:
    """Write a detector as one ONNX file, whole or not at all.

    Two exports of one checkpoint with the same packages are equal to the byte. The file computes in
    single precision.

    Args:
        checkpoint: The detector. If its cells scale with time, they are set to the windows that it
            is exported for.
        path: The file.
        exported_for: Frames that the file will read.
        settings: Lanes and thresholds.
        test_windows: Consecutive windows that the file holds, with the detections in them; None:
            it holds none.

    Returns:
        What the file says about itself.

    Raises:
        ExportError: If the detector cannot be exported, or a package is missing.
        SettingsError: If there are names, but not one for each class.
    """
    is_exported = checkpoint.detector.frame_size is not None
    if fault := find_export_fault(checkpoint.detector_config, is_exported=is_exported):
        raise ExportError(fault)
    detector = checkpoint.detector.float().cpu().eval()
    match_window_rate(detector, checkpoint.encoding, [exported_for.encoding])
    description = Description(
        frames=FrameShape(
            channels=checkpoint.in_channels, height=exported_for.height, width=exported_for.width
        ),
        class_names=_class_names(checkpoint, exported_for.class_names),
        encoding=exported_for.encoding,
        downsampled_by=exported_for.downsampled_by,
        selection=detector.selection,
        suppression=settings.suppression,
        operating_scores=checkpoint.operating_scores,
        detector=checkpoint.known_config().model_dump(mode="json", serialize_as_any=True),
        dataset_fingerprint=checkpoint.dataset_fingerprint,
        mlflow_run_id=checkpoint.mlflow_run_id,
        checkpoint_fingerprint=weights_fingerprint(detector),
        versions={name: version(name) for name in ("etram-pipeline", "torch", *EXPORTERS)},
        test_vector=None
        if test_windows is None
        else make_test_vector(detector, test_windows, settings.suppression),
    )
    model = _export(detector, description, settings.lanes)
    write_model_file(path, model.SerializeToString(deterministic=True), description)
    return description


def weights_fingerprint(detector: Detector) -> str:
    """Sixteen hexadecimal digits that change with any weight of a detector."""
    digest = hashlib.sha256()
    for name, weight in sorted(detector.state_dict().items()):
        digest.update(f"{name} {tuple(weight.shape)}".encode())
        digest.update(weight.cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _class_names(checkpoint: Checkpoint, given: tuple[str, ...]) -> tuple[str, ...]:
    """Name of each class id; the ids themselves if the names are unknown."""
    names = checkpoint.class_names or given
    if not names:
        return tuple(map(str, range(checkpoint.num_classes)))
    if len(names) != checkpoint.num_classes:
        raise SettingsError(
            f"there are {len(names)} class names ({', '.join(names)}), but the detector "
            f"distinguishes {checkpoint.num_classes} classes: name each of them"
        )
    return names


def _export(detector: Detector, description: Description, lanes: int | None) -> Any:  # noqa: ANN401
    """The detector as an ONNX model, with the thousands of lines that exporting logs left out."""
    shape = description.frames
    scale = description.downsampled_by
    representation = description.encoding.representation.build(
        shape.height * scale, shape.width * scale
    )
    frames = np.zeros(
        (lanes or EXAMPLE_LANES, shape.channels, shape.height, shape.width), representation.dtype
    )
    with _quiet():
        try:
            return export_graph(detector, torch.from_numpy(frames), has_free_lanes=lanes is None)
        except Exception as error:
            cause = next((line for line in str(error).splitlines() if line.strip()), repr(error))
            raise ExportError(
                f"the detector {type(detector).__name__} cannot be exported by PyTorch "
                f"{torch.__version__}: {cause}"
            ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what PyTorch and onnxscript report of every step of an export."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)

"""Engines by name, and the files of detectors that `benchmarks/deployment.py` measures."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from etram_pipeline.clips.representations import RepresentationsInMemory, WindowRepresentations
from etram_pipeline.core.etram import CLASSES
from etram_pipeline.deployment.engines import EngineConfig, EngineFiles
from etram_pipeline.deployment.export import ExportedFor, export_detector
from etram_pipeline.deployment.settings import DeploySettings
from etram_pipeline.deployment.street import write_street
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.models.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.streaming.cutter import WindowCutter

ENGINES: dict[str, dict[str, str]] = {
    "eager": {"kind": "eager"},
    "onnxruntime": {"kind": "onnxruntime"},
    "openvino": {"kind": "openvino"},
    "int8": {"kind": "int8"},
    "int8_dynamic": {"kind": "int8", "method": "dynamic"},
    "eager_bf16": {"kind": "eager", "precision": "bf16-mixed"},
    "openvino_bf16": {"kind": "openvino", "precision": "bf16"},
    "compiled": {"kind": "compiled"},
}

CHANNELS = 20
EMBED_DIM = {"nano": 16, "tiny": 32}

ENCODING = EncodingSettings.model_validate(
    {
        "windows": {"kind": "regular", "duration_ms": 50, "step_ms": 50},
        "representation": {"kind": "stacked_histogram", "bins": 10},
    }
)

_CALIBRATION_WINDOWS = 60
_CALIBRATION_RATE = 5e6


def engine_configs(names: Iterable[str]) -> tuple[EngineConfig, ...]:
    """Engines by the names that the options have."""
    return tuple(EngineConfig.model_validate(ENGINES[name]) for name in names)


def detector_files(folder: Path, name: str, size: tuple[int, int], run: Path | None) -> EngineFiles:
    """A detector, exported for frames of a size; trained if the run has one of this kind.

    Args:
        folder: Where the files are written.
        name: `nano` or `tiny`.
        size: Height and width of the frames, in px.
        run: Folder `data` of a finished run.
    """
    exported = folder / f"{name}_{size[0]}x{size[1]}.onnx"
    if run is not None and name == "nano":
        path = run / "06_models/detector.ckpt"
        checkpoint = read_checkpoint(path)
    else:
        path = folder / f"{name}.ckpt"
        checkpoint = with_chance_weights(name)
        write_checkpoint(path, checkpoint)
    encoding = checkpoint.encoding or ENCODING
    torch.set_num_threads(1)
    exported_for = ExportedFor(*size, 2, encoding)
    export_detector(checkpoint, exported, exported_for, DeploySettings())
    return EngineFiles(exported, path, calibration(folder, size, encoding, run))


def with_chance_weights(name: str) -> Checkpoint:
    """A detector that has learned nothing."""
    torch.manual_seed(0)
    config = DetectorConfig.model_validate(
        {
            "kind": "rvt",
            "backbone": {
                "kind": "maxvit",
                "embed_dim": EMBED_DIM[name],
                "attention": {"dim_head": EMBED_DIM[name], "layer_scale": 0.1},
            },
            "neck": {"kind": "pafpn", "num_bottlenecks": 1},
        }
    )
    detector = config.build(CHANNELS, len(CLASSES)).eval()
    return Checkpoint(
        detector, config, CHANNELS, CLASSES, len(CLASSES), encoding=ENCODING, downsampled_by=2
    )


def calibration(
    folder: Path, size: tuple[int, int], encoding: EncodingSettings, run: Path | None
) -> Sequence[WindowRepresentations]:
    """Training recordings of the run if they have this size, else windows of simulated events."""
    if run is not None:
        store = RepresentationStore(run / "02_intermediate/histograms")
        found = [store[key] for key in store if key.startswith("train/")]
        if {(each.height, each.width) for each in found} == {size}:
            return found
    height, width = 2 * size[0], 2 * size[1]
    street = write_street(folder / "calibration", _CALIBRATION_RATE, height, width)
    cutter = WindowCutter(encoding, height, width)
    images = []
    for packet in street.packets(25 * (_CALIBRATION_WINDOWS + 1)):
        for window in cutter.push(packet):
            images.append(window.image.copy())
            window.release()
    stop_us = 50_000 * np.arange(1, len(images) + 1)
    return [RepresentationsInMemory(np.stack(images), stop_us, stop_us[:0], 2, encoding)]

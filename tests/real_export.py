"""A small detector, recordings that it detects something in, and its exported file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from etram_pipeline.clips.representations import RepresentationsInMemory
from etram_pipeline.deployment.runtime import choose_detector
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.models.checkpoint import Checkpoint
from etram_pipeline.models.detectors import DetectorConfig

HEIGHT, WIDTH, CHANNELS = 64, 128, 4
CLASS_NAMES = ("pedestrian", "car", "tram")

ENCODING = EncodingSettings.model_validate(
    {
        "windows": {"kind": "regular", "duration_ms": 50, "step_ms": 50},
        "representation": {"kind": "stacked_histogram", "bins": CHANNELS // 2},
    }
)

CONFIG = DetectorConfig.model_validate(
    {
        "kind": "rvt",
        "backbone": {
            "kind": "maxvit",
            "embed_dim": 8,
            "attention": {"dim_head": 8, "layer_scale": 0.1},
        },
        "neck": {"kind": "pafpn", "num_bottlenecks": 1},
    }
)


@dataclass(frozen=True)
class RealExport:
    """A detector and its exported file.

    Attributes:
        trained: The detector.
        recordings: Recordings that it detects in.
        folder: Where the file was kept.
        path: The file.
    """

    trained: Checkpoint
    recordings: dict[str, RepresentationsInMemory]
    folder: Path
    path: Path


def settings(**changes: object) -> PredictSettings:
    """Detection on a CPU in single precision in all windows, by ONNX Runtime unless changed."""
    given = {"windows": "all", "device": "cpu", "precision": "32", "workers": 0, "runtime": "onnx"}
    return PredictSettings.model_validate(
        given | {"suppression": {"score_threshold": 0.1}} | changes
    )


def export_small_detector(folder: Path) -> RealExport:
    """Export the detector into a folder, as `predict.runtime: onnx` does."""
    trained = small_detector()
    recordings = {f"test/r{seed}": recording(seed) for seed in range(3)}
    choose_detector(trained, recordings, settings(), folder)
    [path] = folder.glob("*.onnx")
    return RealExport(trained, recordings, folder, path)


def small_detector(config: DetectorConfig = CONFIG) -> Checkpoint:
    """A detector whose scores differ from anchor to anchor although it has learnt nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        detector = config.build(CHANNELS, len(CLASS_NAMES)).eval()
        with torch.no_grad():
            for name, bias in detector.named_parameters():
                if name.startswith("head.") and name.endswith("bias"):
                    bias.add_(torch.randn_like(bias))
    return Checkpoint(
        detector=detector,
        detector_config=config,
        in_channels=CHANNELS,
        class_names=CLASS_NAMES,
        num_classes=len(CLASS_NAMES),
        encoding=ENCODING,
        downsampled_by=1,
    )


def recording(seed: int, num_windows: int = 12) -> RepresentationsInMemory:
    """Windows of a recording in which something moves."""
    chance = np.random.default_rng(seed)
    images = chance.poisson(0.05, (num_windows, CHANNELS, HEIGHT, WIDTH))
    for window in range(num_windows):
        left = 8 * window % (WIDTH - 24)
        images[window, :, 20:44, left : left + 24] += chance.poisson(2, (CHANNELS, 24, 24))
    return RepresentationsInMemory(
        images.clip(0, 10).astype(np.uint8),
        50_000 * np.arange(1, num_windows + 1),
        np.arange(3, num_windows, 4),
        encoding=ENCODING,
    )

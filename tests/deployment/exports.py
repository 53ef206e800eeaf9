"""Small detectors that find something, and windows to find it in."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import nn

from etram_pipeline.deployment.export import ExportedFor, export_detector
from etram_pipeline.deployment.settings import DeploySettings
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.checkpoint import Checkpoint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.streaming.description import Description

NUM_CHANNELS, CLASS_NAMES = 4, ("pedestrian", "car", "tram")

ENCODING = EncodingSettings.model_validate(
    {
        "windows": {"kind": "regular", "duration_ms": 50, "step_ms": 50},
        "representation": {"kind": "stacked_histogram", "bins": 2},
    }
)

SETTINGS = DeploySettings(suppression=SuppressionSettings(score_threshold=0.1))

_OUTPUTS = ("objectness_output", "class_output", "class_embed")
"""Last layers of heads that give a score."""


def make_checkpoint(config: DetectorConfig) -> Checkpoint:
    """A detector of chance weights whose scores are spread, as are those of a trained one."""
    torch.manual_seed(0)
    detector = config.build(NUM_CHANNELS, len(CLASS_NAMES)).eval()
    for name, module in detector.named_modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_(0, 0.1)
        if isinstance(module, nn.Conv2d | nn.Linear) and any(each in name for each in _OUTPUTS):
            nn.init.normal_(module.weight, std=0.5)
            nn.init.normal_(module.get_parameter("bias"), std=1)
    return Checkpoint(
        detector=detector,
        detector_config=config,
        in_channels=NUM_CHANNELS,
        class_names=CLASS_NAMES,
        num_classes=len(CLASS_NAMES),
        encoding=ENCODING,
        downsampled_by=2,
        dataset_fingerprint="a dataset",
        mlflow_run_id="a run",
    )


def some_windows(number: int, height: int, width: int) -> UInt8[np.ndarray, "N C H W"]:
    """Counts of a few events, always the same."""
    drawn = np.random.default_rng(0).poisson(0.3, (number, NUM_CHANNELS, height, width))
    return drawn.clip(0, 10).astype(np.uint8)


def export(
    checkpoint: Checkpoint,
    path: Path,
    windows: UInt8[np.ndarray, "N C H W"],
    settings: DeploySettings = SETTINGS,
) -> Description:
    """Export a detector for such windows, the first of which are its test vector."""
    height, width = windows.shape[2:]
    frames = ExportedFor(height, width, downsampled_by=2, encoding=ENCODING)
    return export_detector(checkpoint, path, frames, settings, windows[: settings.test_windows])

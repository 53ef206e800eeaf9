"""A small detector, recordings that it detects something in, and its exported file."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tests.deployment.exports import ENCODING, NUM_CHANNELS, make_checkpoint

from etram_pipeline.clips.representations import RepresentationsInMemory
from etram_pipeline.deployment.runtime import choose_detector
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.models.checkpoint import Checkpoint
from etram_pipeline.models.detectors import DetectorConfig

PROJECT = Path(__file__).parents[1]

HEIGHT, WIDTH = 64, 128

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


def export_elsewhere(folder: Path) -> RealExport:
    """Export the detector into a folder, as `predict.runtime: onnx` does.

    This needs another process: run-time type checks refuse the symbols that PyTorch exports with.
    """
    subprocess.run(
        [sys.executable, "-m", "tests.real_export", str(folder)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT / "src"), str(PROJECT)])},
        check=True,
    )
    [path] = folder.glob("*.onnx")
    return RealExport(small_detector(), some_recordings(), folder, path)


def some_recordings() -> dict[str, RepresentationsInMemory]:
    """Three recordings."""
    return {f"test/r{seed}": recording(seed) for seed in range(3)}


def small_detector() -> Checkpoint:
    """A detector that finds something although it has learnt nothing."""
    with torch.random.fork_rng(devices=[]):
        return make_checkpoint(CONFIG)


def recording(seed: int, num_windows: int = 12) -> RepresentationsInMemory:
    """Windows of a recording in which something moves."""
    chance = np.random.default_rng(seed)
    images = chance.poisson(0.05, (num_windows, NUM_CHANNELS, HEIGHT, WIDTH))
    for window in range(num_windows):
        left = 8 * window % (WIDTH - 24)
        images[window, :, 20:44, left : left + 24] += chance.poisson(2, (NUM_CHANNELS, 24, 24))
    return RepresentationsInMemory(
        images.clip(0, 10).astype(np.uint8),
        50_000 * np.arange(1, num_windows + 1),
        np.arange(3, num_windows, 4),
        encoding=ENCODING,
    )


if __name__ == "__main__":
    choose_detector(small_detector(), some_recordings(), settings(), Path(sys.argv[1]))

"""Nodes of the deploy pipeline."""

import logging
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from etram_pipeline.core.counts import counted
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.deployment.frames import choose_frames
from etram_pipeline.deployment.settings import DeploySettings
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.pipelines.predict.nodes import check_representation, class_names_of
from etram_pipeline.stores.representation_store import RepresentationStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class UncheckedDetector:
    """An exported detector that was not compared with its checkpoint yet.

    Attributes:
        path: Its file.
        folder: Where it lies; removed as soon as no node needs it any more.
    """

    path: Path
    folder: TemporaryDirectory[str]


def export_checkpoint(
    histograms: RepresentationStore,
    checkpoint: Path,
    dataset: DatasetSettings,
    predict: PredictSettings,
    deploy: DeploySettings,
) -> UncheckedDetector:
    """The detector of a checkpoint as one ONNX file, in a temporary folder."""
    from etram_pipeline.deployment.export import ExportedFor, export_detector
    from etram_pipeline.deployment.test_vector import choose_windows
    from etram_pipeline.models.checkpoint import read_checkpoint

    trained = read_checkpoint(checkpoint)
    frames = choose_frames(histograms, deploy, trained.encoding)
    check_representation(frames.recordings, trained, checkpoint)
    exported_for = ExportedFor(
        height=frames.height,
        width=frames.width,
        downsampled_by=frames.downsampled_by,
        encoding=frames.encoding,
        class_names=class_names_of(trained, checkpoint, dataset, predict),
    )
    shown = choose_windows(trained.detector, frames, deploy.test_windows, deploy.suppression)
    folder = TemporaryDirectory(prefix="exported-")
    path = Path(folder.name) / "detector.onnx"
    export_detector(trained, path, exported_for, deploy, shown)
    return UncheckedDetector(path, folder)


def check_exported(
    exported: UncheckedDetector,
    histograms: RepresentationStore,
    checkpoint: Path,
    deploy: DeploySettings,
) -> tuple[Path, dict[str, float]]:
    """The exported file, if it computes what the checkpoint computes, and how closely it does."""
    from etram_pipeline.deployment.parity import check_parity
    from etram_pipeline.models.checkpoint import read_checkpoint

    trained = read_checkpoint(checkpoint)
    frames = choose_frames(histograms, deploy, trained.encoding)
    found = check_parity(trained, exported.path, frames.stretches(), deploy.parity)
    logger.info(
        "the exported file finds what the checkpoint finds: %s in %s; largest differences: "
        "%.2g px, scores %.2g",
        counted(found.detections, "detection"),
        counted(found.windows, "window"),
        found.kept_boxes_px,
        found.kept_scores,
    )
    return exported.path, found.numbers()

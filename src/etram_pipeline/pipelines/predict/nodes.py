"""Node of the predict pipeline."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import StoreError
from etram_pipeline.datasets.detections import Prediction
from etram_pipeline.evaluation.detections import DetectionTable
from etram_pipeline.sequences.store import FrameStore, StoredFrames
from etram_pipeline.training.settings import PredictSettings

if TYPE_CHECKING:
    from etram_pipeline.models.checkpoint import Checkpoint
else:  # the command line reads this module long before anything needs torch
    Checkpoint = object


def predict_detections(
    histograms: FrameStore, checkpoint: Path, dataset: DatasetSettings, predict: PredictSettings
) -> Prediction:
    """Detections of each recording, made as they are saved."""
    from etram_pipeline.models.checkpoint import read_checkpoint

    trained = read_checkpoint(checkpoint)
    frames = {key: histograms[key] for key in histograms if key.split("/")[0] in predict.splits}
    if not frames:
        raise StoreError(
            f"no recordings of {', '.join(predict.splits)} in {histograms}: "
            "change predict.splits, or run `kedro run --pipelines preprocess` on some"
        )
    _check_representation(frames, trained.in_channels, trained.representation, checkpoint)
    return Prediction(
        _detect(trained, frames, predict),
        # Checkpoints of RVT do not name their classes.
        trained.class_names or dataset.detected_classes,
        trained.mlflow_run_id,
    )


def _detect(
    trained: Checkpoint, frames: Mapping[str, StoredFrames], settings: PredictSettings
) -> Iterator[tuple[str, DetectionTable]]:
    """Recordings of one size after another: lanes of a batch must fit together."""
    from etram_pipeline.training.predict import predict_recordings

    sizes = sorted({(stored.height, stored.width) for stored in frames.values()})
    for size in sizes:
        alike = {key: one for key, one in frames.items() if (one.height, one.width) == size}
        yield from predict_recordings(trained.detector, alike, settings, trained.representation)


def _check_representation(
    frames: Mapping[str, StoredFrames], in_channels: int, trained: object, checkpoint: Path
) -> None:
    for key, stored in frames.items():
        if fault := find_other_channels(in_channels, trained, checkpoint, key, stored.channels):
            raise StoreError(fault)


def find_other_channels(
    in_channels: int, trained: object, checkpoint: Path, where: str, channels: int
) -> str:
    """What to say of representations that a detector cannot read; empty if it can.

    Args:
        in_channels: Channels that the detector reads.
        trained: Settings of the representation it was trained on.
        checkpoint: The detector's file.
        where: Whose representations they are.
        channels: Their channels.
    """
    if channels == in_channels:
        return ""
    return (
        f"{checkpoint} was trained on {in_channels} channels, but {where} has {channels}: "
        f"preprocess it with the representation {trained}"
    )

"""Node of the predict pipeline."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from etram_pipeline.core.calibration import Calibration
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import CheckpointError, SettingsError, StoreError
from etram_pipeline.core.recording_key import in_splits
from etram_pipeline.datasets.detections import Prediction
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.labels.detections import DetectionTable, with_calibrated_scores
from etram_pipeline.stores.representation_store import RepresentationStore, StoredRepresentations

if TYPE_CHECKING:
    from etram_pipeline.models.checkpoint import Checkpoint
else:  # the command line reads this module long before anything needs torch
    Checkpoint = object

logger = logging.getLogger(__name__)


def predict_detections(
    histograms: RepresentationStore,
    checkpoint: Path,
    dataset: DatasetSettings,
    predict: PredictSettings,
    exported_folder: Path,
) -> Prediction:
    """Detections of each recording, computed while they are saved."""
    from etram_pipeline.models.checkpoint import read_checkpoint

    trained = read_checkpoint(checkpoint)
    chosen = {key: histograms[key] for key in in_splits(histograms, predict.splits)}
    if not chosen:
        raise StoreError(
            f"no recordings of {', '.join(predict.splits)} in {histograms}: "
            "change predict.splits, or run `kedro run --pipelines preprocess` on some"
        )
    check_representation(chosen, trained, checkpoint)
    prediction = Prediction(
        _detect(trained, chosen, predict, exported_folder),
        class_names_of(trained, checkpoint, dataset, predict),
        trained.mlflow_run_id,
        trained.operating_scores,
        predict.suppression.score_threshold,
        trained.calibration,
    )
    if not predict.calibrated:
        return prediction
    if trained.calibration is None:
        is_exported = trained.detector.frame_size is not None
        raise CheckpointError(explain_no_calibration(checkpoint, is_exported=is_exported))
    return _calibrated(prediction, trained.calibration)


def _calibrated(prediction: Prediction, calibration: Calibration) -> Prediction:
    return replace(
        prediction,
        tables=(
            (key, with_calibrated_scores(table, calibration)) for key, table in prediction.tables
        ),
        operating_scores=calibration.operating_scores(prediction.operating_scores),
        are_calibrated=True,
    )


def explain_no_calibration(checkpoint: Path, *, is_exported: bool) -> str:
    """Error message for a detector whose scores cannot be scaled to probabilities.

    Args:
        checkpoint: File of the detector.
        is_exported: Whether it was exported from a checkpoint.
    """
    remedy = (
        "an exported file keeps none: use the checkpoint that it was exported from"
        if is_exported
        else "it is fitted in the validations of a training, to labelled recordings of 'val' in "
        "which a detection is right: train, or continue from this file with train.start_from"
    )
    return f"predict.calibrated is true, but {checkpoint} has no calibration; {remedy}"


def class_names_of(
    trained: Checkpoint, checkpoint: Path, dataset: DatasetSettings, predict: PredictSettings
) -> tuple[str, ...]:
    """Name of each class id; the ids themselves if the names are unknown.

    Raises:
        SettingsError: If `predict.class_names` has another number of names.
    """
    if trained.class_names:
        return trained.class_names
    if predict.class_names is not None:
        if len(predict.class_names) != trained.num_classes:
            raise SettingsError(
                f"predict.class_names has {len(predict.class_names)} names, but {checkpoint} "
                f"distinguishes {trained.num_classes} classes: name each of them"
            )
        return predict.class_names
    if len(dataset.detected_classes) == trained.num_classes:
        names, source = dataset.detected_classes, "dataset.class_names has as many"
    else:
        names, source = tuple(map(str, range(trained.num_classes))), "shown as numbers"
    logger.warning(
        "%s does not name its %d classes: assumed to be %s (%s); if this is wrong, set "
        "predict.class_names, in the order of the class ids",
        checkpoint,
        trained.num_classes,
        ", ".join(names),
        source,
    )
    return names


def _detect(
    trained: Checkpoint,
    representations: Mapping[str, StoredRepresentations],
    settings: PredictSettings,
    exported_folder: Path,
) -> Iterator[tuple[str, DetectionTable]]:
    """Detections of the recordings, size by size, each with the detector for its size."""
    from etram_pipeline.deployment.runtime import choose_detector
    from etram_pipeline.inference.predict import by_size, predict_recordings

    for alike in by_size(representations):
        detector, made_for = choose_detector(trained, alike, settings, exported_folder)
        yield from predict_recordings(detector, alike, settings, made_for)


def check_representation(
    representations: Mapping[str, StoredRepresentations], trained: Checkpoint, checkpoint: Path
) -> None:
    """Check that a detector can read representations.

    Raises:
        StoreError: If they have another number of channels, or another size than that which it was
            exported for.
    """
    plain = trained.encoding and trained.encoding.as_plain_data()["representation"]
    for key, stored in representations.items():
        size = stored.height, stored.width
        fault = find_other_channels(
            trained.in_channels, plain, checkpoint, key, stored.channels
        ) or find_other_size(trained.detector.frame_size, checkpoint, key, size)
        if fault:
            raise StoreError(fault)


def find_other_channels(
    in_channels: int, trained: object, checkpoint: Path, where: str, channels: int
) -> str:
    """Error message for representations that a detector cannot read; empty if it can.

    Args:
        in_channels: Number of input channels of the detector.
        trained: Settings of the representation that it was trained on.
        checkpoint: File of the detector.
        where: Owner of the representations, such as the key of a recording.
        channels: Number of channels of the representations.
    """
    if channels == in_channels:
        return ""
    return (
        f"{checkpoint} was trained on {in_channels} channels, but {where} has {channels}: "
        f"preprocess it with the representation {trained}"
    )


def find_other_size(
    frame_size: tuple[int, int] | None, checkpoint: Path, where: str, size: tuple[int, int]
) -> str:
    """Error message for representations of a size that a detector cannot read; empty if it can.

    Args:
        frame_size: Height and width in px of the only frames that it can read; None: any.
        checkpoint: File of the detector.
        where: Owner of the representations, such as the key of a recording.
        size: Their height and width in px.
    """
    if frame_size in {None, size}:
        return ""
    (height, width), exported = size, frame_size or size
    return (
        f"{checkpoint} was exported for frames of {exported[0]} x {exported[1]} px, but {where} "
        f"has {height} x {width}: export the detector for this size, or use the checkpoint that it "
        "was exported from, which reads any"
    )

"""Node of the evaluate pipeline that asks whether scores can be trusted."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from etram_pipeline.core.calibration import Calibration
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.recording_key import in_splits
from etram_pipeline.datasets.detection_store import DetectionSource, DetectionStore
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelTables
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.stores.label_store import LabelStore

if TYPE_CHECKING:
    from etram_pipeline.analysis.reliability import CalibrationResult
else:  # importing it takes long, and Kedro reads this module for every command
    CalibrationResult = object

_VALIDATION = "val"


def score_calibration(
    detections: DetectionSource,
    labelled_frames: LabelStore,
    dataset: DatasetSettings,
    evaluate: EvaluateSettings,
) -> dict[str, CalibrationResult]:
    """Reliability of the scores of one split, by the first of the protocols.

    The scaling is fitted to the stored detections of the validation recordings, or else it is that
    of the checkpoint. It is never fitted to the split that is evaluated.
    """
    from etram_pipeline.analysis.calibration import measure_calibration

    protocol, names = evaluate.protocols[0], dataset.detected_classes
    found = detections.of(labelled_frames, dataset)
    calibration = _calibration(found, labelled_frames, dataset, evaluate)
    result = measure_calibration(
        *_tables(found, labelled_frames, in_splits(labelled_frames, (evaluate.split,))),
        protocol,
        names,
        calibration=calibration,
        applied=found.are_calibrated,
    )
    known = result.are_calibrated or result.calibration is not None
    missing = "" if known else _why_none(evaluate.split, found, labelled_frames)
    return {
        protocol.name: result.model_copy(
            update={"split": evaluate.split, "no_calibration": missing}
        )
    }


def _calibration(
    found: DetectionStore,
    labelled_frames: LabelStore,
    dataset: DatasetSettings,
    evaluate: EvaluateSettings,
) -> Calibration | None:
    """The scaling that was applied, or one that the evaluated split has no part in."""
    from etram_pipeline.analysis.calibration import find_calibration

    if found.are_calibrated:
        return found.calibration
    if evaluate.split == _VALIDATION:
        return None
    if not _is_validation_detected(found, labelled_frames):
        return found.calibration
    return find_calibration(
        *_tables(found, labelled_frames, in_splits(labelled_frames, (_VALIDATION,))),
        evaluate.protocols[0],
        dataset.detected_classes,
        kind=evaluate.scaling,
    )


def _is_validation_detected(found: DetectionStore, labelled_frames: LabelStore) -> bool:
    keys = tuple(in_splits(labelled_frames, (_VALIDATION,)))
    return bool(keys) and all(key in found for key in keys)


def _tables(
    found: DetectionStore, labelled_frames: LabelStore, keys: Iterable[str]
) -> tuple[dict[str, LabelTable], dict[str, DetectionTable]]:
    keys = list(keys)
    labels = LabelTables({key: labelled_frames[key] for key in keys})
    return labels, {key: found[key] for key in keys}


def _why_none(split: str, found: DetectionStore, labelled_frames: LabelStore) -> str:
    if split == _VALIDATION:
        return (
            "a calibration is fitted to the validation recordings, so it is not tried in these: "
            "set evaluate.split to test"
        )
    if _is_validation_detected(found, labelled_frames):
        return "no detection in the validation recordings is right: train for longer"
    if found.origin is not None:
        return (
            "no calibration of these detections is known: add detections of all labelled "
            f"recordings of {_VALIDATION} to {found.origin.path}"
        )
    return (
        f"no calibration for this protocol is known: add {_VALIDATION} to predict.splits and run "
        "`kedro run --pipelines predict,evaluate,report`"
    )

"""Node of the evaluate pipeline."""

import numpy as np

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import StoreError
from etram_pipeline.datasets.detections import DetectionStore
from etram_pipeline.evaluation.metrics import Metrics
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.sequences.store import LabelStore


def score_detections(
    detections: DetectionStore,
    labelled_frames: LabelStore,
    dataset: DatasetSettings,
    evaluate: EvaluateSettings,
) -> dict[str, Metrics]:
    """Metrics by protocol, of the labelled recordings of one split."""
    from etram_pipeline.evaluation import evaluate as score

    split = [key for key in labelled_frames if key.startswith(f"{evaluate.split}/")]
    missing = [key for key in split if key not in detections]
    if missing or not split:
        raise StoreError(
            f"{len(missing)} of {len(split)} labelled recordings of '{evaluate.split}' have no "
            f"detections ({', '.join(missing[:5])}): add the split to predict.splits and run "
            "`kedro run --pipelines predict`"
        )
    if detections.class_names != dataset.detected_classes:
        raise StoreError(
            f"the detections are of the classes {detections.class_names}, but `dataset` has "
            f"{dataset.detected_classes}: run `kedro run --pipelines predict` with a detector "
            "trained on these"
        )
    labels = {key: labelled_frames[key].labels for key in split}
    found = {key: detections[key] for key in split}
    at_frames = {key: found[key][np.isin(found[key]["t"], labels[key]["t"])] for key in split}
    return {
        protocol.name: score(
            labels,
            # Of a detector run in every window only what it says at labelled frames is compared, as
            # the references do; a tolerance in time would count the same object several times.
            at_frames if protocol.frames == "labelled" else found,
            protocol,
            class_names=dataset.detected_classes,
        ).model_copy(update={"split": evaluate.split})
        for protocol in evaluate.protocols
    }

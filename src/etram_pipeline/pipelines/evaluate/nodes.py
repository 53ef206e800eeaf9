"""Node of the evaluate pipeline."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.recording_key import in_splits
from etram_pipeline.datasets.detection_store import DetectionSource, DetectionStore, Origin
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore

if TYPE_CHECKING:
    from etram_pipeline.evaluation.matches import Matches
    from etram_pipeline.pipelines.evaluate.scoring import Scoring
else:  # importing them takes long, and Kedro reads this module for every command
    Matches = Scoring = object


def score_detections(
    detections: DetectionSource,
    labelled_frames: LabelStore,
    histograms: RepresentationStore,
    dataset: DatasetSettings,
    evaluate: EvaluateSettings,
) -> tuple[dict[str, Matches], dict[str, Metrics]]:
    """Matches and metrics by protocol, of the labelled recordings of one split."""
    scoring = prepare_scoring(detections, labelled_frames, histograms, dataset, evaluate)
    found = {protocol.name: scoring.score(protocol) for protocol in evaluate.protocols}
    return (
        {name: matches for name, (matches, _) in found.items()},
        {name: metrics for name, (_, metrics) in found.items()},
    )


def prepare_scoring(
    detections: DetectionSource,
    labelled_frames: LabelStore,
    histograms: RepresentationStore,
    dataset: DatasetSettings,
    evaluate: EvaluateSettings,
) -> Scoring:
    """Compares the detections of one split with its labels; refuses those that do not fit."""
    from etram_pipeline.pipelines.evaluate.scoring import Scoring

    _, tables = comparable(detections, labelled_frames, dataset, evaluate.split)
    if any(protocol.needs_masks for protocol in evaluate.protocols):
        labelled_frames, tables = labelled_frames.with_masks(), tables.with_masks()
    return Scoring(labelled_frames, tables, histograms, dataset.detected_classes, evaluate)


def comparable(
    detections: DetectionSource, labelled_frames: LabelStore, dataset: DatasetSettings, split: str
) -> tuple[list[str], DetectionStore]:
    """Labelled recordings of a split, and the detections, which all of them have.

    Raises:
        StoreError: If one has none, or if they are of other classes than the labels.
    """
    keys = in_splits(labelled_frames, (split,))
    tables = detections.of(labelled_frames, dataset)
    if fault := find_missing(keys, frozenset(tables), split, tables.origin):
        raise StoreError(fault)
    if fault := find_other_classes(tables.class_names, dataset):
        raise StoreError(fault)
    return list(keys), tables


def find_missing(
    labelled: Collection[str],
    detected: Collection[str],
    split: str,
    origin: Origin | None = None,
) -> str:
    """What to say of a split of which labelled recordings have no detections; empty if all have.

    Args:
        labelled: Its recordings with labels.
        detected: Recordings with detections, of any split.
        split: The split to be scored.
        origin: Where the detections come from, if another program made them.
    """
    missing = sorted(key for key in labelled if key not in detected)
    if labelled and not missing:
        return ""
    remedy = "add the split to predict.splits and run `kedro run --pipelines predict`"
    if origin is not None:
        remedy = f"{_how_to_add(origin.path)}, also where nothing was found"
    return (
        f"{len(missing)} of {len(labelled)} labelled recordings of '{split}' have no "
        f"detections ({', '.join(missing[:5])}): {remedy}"
    )


def _how_to_add(path: Path) -> str:
    """How recordings are added to the detections of another program."""
    if path.suffix == ".json":
        return f"add their images to the annotation file of {path}"
    if path.suffix in {".npy", ".parquet"}:
        return f"give a folder with a table for each instead of {path}"
    return f"add them to {path}"


def find_other_classes(class_names: tuple[str, ...], dataset: DatasetSettings) -> str:
    """What to say of detections of other classes than the labels'; empty if they are the same."""
    if class_names == dataset.detected_classes:
        return ""
    return (
        f"the detections are of the classes {', '.join(class_names)}, but `dataset` has "
        f"{', '.join(dataset.detected_classes)}: run `kedro run --pipelines predict` with a "
        "detector trained on these, or use the preset it was trained with"
    )

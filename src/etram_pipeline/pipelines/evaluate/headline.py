"""Labels and detections compared by the first protocol, which is analysed further."""

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.datasets.detection_store import DetectionSource
from etram_pipeline.evaluation.evidence import Evidence
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.pipelines.evaluate.nodes import comparable
from etram_pipeline.pipelines.evaluate.scoring import Scoring
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore


def headline_evidence(
    detections: DetectionSource,
    labelled_frames: LabelStore,
    histograms: RepresentationStore,
    dataset: DatasetSettings,
    evaluate: EvaluateSettings,
) -> Evidence:
    """Evidence of the first of the protocols, in the labelled recordings of one split.

    Raises:
        StoreError: If a recording has no detections, or if they are of other classes.
    """
    protocol = evaluate.protocols[0]
    _, tables = comparable(detections, labelled_frames, dataset, evaluate.split)
    if protocol.needs_masks:
        labelled_frames, tables = labelled_frames.with_masks(), tables.with_masks()
    scoring = Scoring(labelled_frames, tables, histograms, dataset.detected_classes, evaluate)
    return scoring.gather(protocol)

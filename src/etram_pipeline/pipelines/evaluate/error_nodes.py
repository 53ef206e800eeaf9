"""Nodes of the evaluate pipeline that ask why detections are wrong."""

from typing import TYPE_CHECKING

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.datasets.detection_store import DetectionSource
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.pipelines.evaluate.nodes import prepare_scoring
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore

if TYPE_CHECKING:
    from etram_pipeline.analysis.error_report import ErrorReport
else:  # the command line reads this module long before anything needs it
    ErrorReport = object


def measure_mistakes(
    detections: DetectionSource,
    labelled_frames: LabelStore,
    histograms: RepresentationStore,
    dataset: DatasetSettings,
    evaluate: EvaluateSettings,
) -> dict[str, ErrorReport]:
    """What each kind of mistake costs, by the first protocol."""
    from etram_pipeline.analysis.error_report import measure_errors
    from etram_pipeline.analysis.errors import judge_evidence

    scoring = prepare_scoring(detections, labelled_frames, histograms, dataset, evaluate)
    evidence = scoring.evidence(evaluate.protocols[0])
    report = measure_errors(evidence, judge_evidence(evidence), evaluate.split)
    return {evidence.protocol.name: report}

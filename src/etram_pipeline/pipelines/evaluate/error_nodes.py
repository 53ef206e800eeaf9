"""Nodes of the evaluate pipeline that ask why detections are wrong."""

from typing import TYPE_CHECKING

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.datasets.detection_store import DetectionSource
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.pipelines.evaluate.nodes import prepare_scoring
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore, StoredRepresentations

if TYPE_CHECKING:
    from pandas import DataFrame

    from etram_pipeline.analysis.attributes import LabelledRecording
    from etram_pipeline.analysis.error_report import ErrorReport
else:  # the command line reads this module long before anything needs it
    DataFrame = ErrorReport = LabelledRecording = object

_MOST_WINDOWS = 1000
"""Windows whose events are counted, at most: reading one of a megapixel sensor takes 10 ms."""
_DIGITS = 4


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


def break_down(
    detections: DetectionSource,
    labelled_frames: LabelStore,
    histograms: RepresentationStore,
    dataset: DatasetSettings,
    evaluate: EvaluateSettings,
) -> tuple[DataFrame, dict[str, float]]:
    """What is found by speed, occlusion and other attributes, as a table and as metrics."""
    import pandas as pd

    from etram_pipeline.analysis.breakdowns import Breakdown, flatten_scores
    from etram_pipeline.analysis.errors import judge_evidence

    protocol = evaluate.protocols[0]
    scoring = prepare_scoring(detections, labelled_frames, histograms, dataset, evaluate)
    evidence = scoring.evidence(protocol)
    known = scoring.operating_scores(protocol)
    fits = known is not None and known.choices == protocol.choices(evidence.class_names)
    breakdown = Breakdown(
        evidence,
        judge_evidence(evidence),
        known.common if known is not None and fits else None,
        evaluate.intervals.rounds,
        evaluate.intervals.level,
    )
    every = max(1, -(-len(evidence.frames) // _MOST_WINDOWS))
    scores = list(
        breakdown.scores(
            {
                key: _recording(evidence.labels[key], histograms.get(key), dataset, every)
                for key in evidence.recordings
            }
        )
    )
    table = pd.DataFrame(scores).round(_DIGITS)
    table.insert(0, "protocol", protocol.name)
    table["score"] = breakdown.score
    return table, flatten_scores(scores, evaluate.split, protocol.name)


def _recording(
    labels: LabelTable,
    stored: StoredRepresentations | None,
    dataset: DatasetSettings,
    every: int,
) -> LabelledRecording:
    from etram_pipeline.analysis.attributes import LabelledRecording

    height, width = dataset.height, dataset.width
    if stored is not None:
        by = stored.downsampled_by
        height, width = stored.height * by, stored.width * by
    return LabelledRecording(labels, height, width, stored, every)

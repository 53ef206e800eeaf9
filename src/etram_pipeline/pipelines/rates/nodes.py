"""Nodes of the rates pipeline."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.recording_key import in_splits
from etram_pipeline.datasets.detection_store import DetectionSource
from etram_pipeline.deployment.rate_settings import RateSettings
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.windows import WindowConfig
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.labels.frames import LabelTables
from etram_pipeline.pipelines.evaluate.nodes import find_missing, find_other_classes
from etram_pipeline.pipelines.evaluate.searched import searched_windows
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
else:  # the command line reads this module long before anything needs these
    Figure = DataFrame = object


def score_latencies(
    detections: DetectionSource,
    labelled_frames: LabelStore,
    histograms: RepresentationStore,
    dataset: DatasetSettings,
    evaluate: EvaluateSettings,
    rates: RateSettings,
) -> tuple[DataFrame, dict[str, float], Figure]:
    """Table, metrics and figure of stored detections by the time to compute a window."""
    import pandas as pd

    from etram_pipeline.deployment.latencies import score_at_latencies
    from etram_pipeline.deployment.rate_scores import latency_numbers, latency_rows
    from etram_pipeline.reports.rates import draw_latencies

    keys = list(in_splits(labelled_frames, (evaluate.split,)))
    found = detections.of(labelled_frames, dataset)
    fault = find_missing(keys, found, evaluate.split, found.origin) or find_other_classes(
        found.class_names, dataset
    )
    if fault:
        raise StoreError(fault)
    tables = {key: found[key] for key in keys}
    scores = list(
        score_at_latencies(
            LabelTables({key: labelled_frames[key] for key in keys}),
            tables,
            searched_windows(histograms, tables, evaluate.protocols[0].name),
            dataset.detected_classes,
            rates.latencies_ms,
            evaluate,
        )
    )
    figure = draw_latencies(scores, evaluate.protocols[0].name)
    return pd.DataFrame(latency_rows(scores)), latency_numbers(scores), figure


def score_rates(  # noqa: PLR0913  # one argument per dataset and per concern
    *,
    recordings: Mapping[str, Path],
    labelled_frames: LabelStore,
    checkpoint: Path,
    dataset: DatasetSettings,
    windows: WindowConfig,
    representation: RepresentationConfig,
    predict: PredictSettings,
    evaluate: EvaluateSettings,
    rates: RateSettings,
) -> tuple[DataFrame, dict[str, float], Figure]:
    """Table, metrics and figure of a detector by the number of windows a second."""
    import pandas as pd

    from etram_pipeline.deployment.rate_scores import rate_numbers, rate_rows
    from etram_pipeline.deployment.rates import RateStudy
    from etram_pipeline.pipelines.rates.studied import open_studied
    from etram_pipeline.reports.rates import draw_rates

    studied = open_studied(
        recordings,
        labelled_frames,
        checkpoint,
        dataset,
        windows=windows,
        representation=representation,
        split=evaluate.split,
    )
    study = RateStudy(
        studied.trained,
        studied.encoding,
        studied.recordings,
        studied.frames,
        dataset.detected_classes,
    )
    scores = list(study.measure(rates, predict, evaluate))
    return pd.DataFrame(rate_rows(scores)), rate_numbers(scores), draw_rates(scores)

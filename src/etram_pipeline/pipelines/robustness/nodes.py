"""Nodes of the robustness pipeline."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.windows import WindowConfig
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.robustness.settings import RobustnessSettings
from etram_pipeline.stores.label_store import LabelStore

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
else:  # the command line reads this module long before anything needs these
    Figure = DataFrame = object


def score_changes(  # noqa: PLR0913  # one argument per dataset and per concern
    *,
    recordings: Mapping[str, Path],
    labelled_frames: LabelStore,
    checkpoint: Path,
    dataset: DatasetSettings,
    windows: WindowConfig,
    representation: RepresentationConfig,
    predict: PredictSettings,
    evaluate: EvaluateSettings,
    robustness: RobustnessSettings,
) -> tuple[DataFrame, dict[str, float], Figure]:
    """Table, metrics and figure of a detector by change of the events and severity."""
    import pandas as pd

    from etram_pipeline.pipelines.rates.studied import open_studied
    from etram_pipeline.reports.robustness import draw_robustness
    from etram_pipeline.robustness.scores import robustness_numbers, robustness_rows
    from etram_pipeline.robustness.study import RobustnessStudy

    studied = open_studied(
        recordings,
        labelled_frames,
        checkpoint,
        dataset,
        windows=windows,
        representation=representation,
        split=evaluate.split,
    )
    study = RobustnessStudy(
        studied.trained,
        studied.encoding,
        studied.recordings,
        studied.frames,
        dataset.detected_classes,
        settings=robustness,
        predict=predict,
        evaluate=evaluate,
    )
    scores = list(study.measure())
    figure = draw_robustness(scores, evaluate.protocols[0].monitored.name)
    return pd.DataFrame(robustness_rows(scores)), robustness_numbers(scores), figure

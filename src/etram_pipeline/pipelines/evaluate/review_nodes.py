"""Nodes of the evaluate pipeline that list what a person should look at."""

import logging
from typing import TYPE_CHECKING

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.lazy_mapping import LazyMapping
from etram_pipeline.datasets.detection_store import DetectionSource
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.pipelines.evaluate.nodes import comparable, prepare_scoring
from etram_pipeline.pipelines.track.nodes import (
    find_unencoded,
    for_scores_of,
    observe,
    searched_us,
)
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore

if TYPE_CHECKING:
    from pandas import DataFrame

    from etram_pipeline.tracks.table import TrackTable
else:  # the command line reads this module long before anything needs it
    DataFrame = TrackTable = object

logger = logging.getLogger(__name__)

_LISTED_PER_KIND = 200
_DIGITS = {"score": 4, "cost": 7} | dict.fromkeys(
    ("x", "y", "w", "h", "label_x", "label_y", "label_w", "label_h"), 1
)


def list_mistakes(
    detections: DetectionSource,
    labelled_frames: LabelStore,
    histograms: RepresentationStore,
    dataset: DatasetSettings,
    evaluate: EvaluateSettings,
) -> DataFrame:
    """The costliest mistakes of each kind by the first protocol, the costliest first."""
    import pandas as pd

    from etram_pipeline.analysis.errors import find_mistakes, judge_evidence

    scoring = prepare_scoring(detections, labelled_frames, histograms, dataset, evaluate)
    evidence = scoring.evidence(evaluate.protocols[0])
    table = find_mistakes(evidence, judge_evidence(evidence)).table(evidence)
    mistakes = pd.DataFrame(table).drop(columns="label_row")
    return mistakes.groupby("kind", sort=False).head(_LISTED_PER_KIND).round(_DIGITS)


def list_label_suspects(
    detections: DetectionSource,
    labelled_frames: LabelStore,
    histograms: RepresentationStore,
    dataset: DatasetSettings,
    evaluate: EvaluateSettings,
) -> DataFrame:
    """Suspected label errors of one split, most suspicious first."""
    import pandas as pd

    from etram_pipeline.analysis.suspect_rows import SUSPECT_COLUMNS, suspect_rows
    from etram_pipeline.analysis.suspects import UNCHANGED, find_suspects, stable_tracks

    keys, tables = comparable(detections, labelled_frames, dataset, evaluate.split)
    if fault := find_unencoded(keys, histograms):
        logger.warning("their labels are not suspected: %s", fault)
        keys = [key for key in keys if key in histograms]
    settings = for_scores_of(tables, UNCHANGED)

    def follow(key: str) -> TrackTable:
        stored, table = histograms[key], tables[key]
        times_us = searched_us(stored, table)
        return stable_tracks(table, times_us, observe(stored), tables.class_names, settings)

    labels = LazyMapping(keys, labelled_frames.__getitem__)
    suspects = find_suspects(labels, LazyMapping(keys, follow))
    rows = suspect_rows(suspects, dataset.detected_classes)
    return pd.DataFrame(rows, columns=list(SUSPECT_COLUMNS))

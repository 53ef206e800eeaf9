"""Nodes of the preprocess pipeline: they say what to compute, the datasets do it on saving."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.windows import WindowConfig
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.sequences.build import Job
from etram_pipeline.sequences.preprocess import encode_jobs, label_jobs
from etram_pipeline.sequences.settings import StorageSettings
from etram_pipeline.sequences.store import FrameStore, LabelStore

if TYPE_CHECKING:
    from pandas import DataFrame
else:  # the command line reads this module long before anything needs pandas
    DataFrame = object


def describe_labelled_frames(
    recordings: Mapping[str, Path],
    label_files: Mapping[str, Path],
    dataset: DatasetSettings,
    labels: LabelSettings,
) -> Mapping[str, Job]:
    """How to filter the labels of each recording and to pick the frames that count."""
    return label_jobs(recordings, label_files, dataset, labels)


def describe_histograms(
    recordings: Mapping[str, Path],
    labelled_frames: LabelStore,
    dataset: DatasetSettings,
    windows: WindowConfig,
    representation: RepresentationConfig,
    storage: StorageSettings,
) -> Mapping[str, Job]:
    """How to cut each recording into windows and to encode them."""
    return encode_jobs(recordings, labelled_frames, dataset, windows, representation, storage)


def summarise_quality(
    histograms: FrameStore, labelled_frames: LabelStore, dataset: DatasetSettings
) -> DataFrame:
    """One row per recording: events, dropped events, windows, labelled frames, boxes by class."""
    import pandas as pd

    from etram_pipeline.reports.quality import (
        quality_rows,
        warn_of_grouped_labels,
        warn_of_missed_frames,
    )

    rows = quality_rows(histograms, labelled_frames, dataset.detected_classes)
    warn_of_missed_frames(histograms, labelled_frames)
    warn_of_grouped_labels(rows, dataset.detected_classes)
    return pd.DataFrame(rows)

"""Nodes of the preprocess pipeline: they return jobs, which the datasets run on saving."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from etram_pipeline.builds.job import BuildJob, check_contents
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.windows import WindowConfig
from etram_pipeline.labels.label_sets import LabelSets, check_label_set
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.preprocessing.labels import label_jobs
from etram_pipeline.preprocessing.representations import encode_jobs
from etram_pipeline.quality.job import QualityStore, quality_jobs
from etram_pipeline.quality.settings import QualitySettings
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.stores.settings import StorageSettings

if TYPE_CHECKING:
    from pandas import DataFrame
else:  # the command line reads this module long before anything needs pandas
    DataFrame = object


def describe_quality(
    recordings: Mapping[str, Path],
    label_files: Mapping[str, Path],
    dataset: DatasetSettings,
    label_sets: LabelSets,
    quality: QualitySettings,
    storage: StorageSettings,
) -> Mapping[str, BuildJob]:
    """Jobs that check each recording and its labels; labels of another label set are refused."""
    check_label_set(label_files.values(), dataset, label_sets)
    jobs = quality_jobs(recordings, label_files, dataset, quality)
    return check_contents(jobs, check=storage.check_content)


def report_quality(
    quality: QualityStore,
    label_files: Mapping[str, Path],
    dataset: DatasetSettings,
    label_sets: LabelSets,
    labels: LabelSettings,
    settings: QualitySettings,
) -> tuple[DataFrame, dict[str, float], str]:
    """Quality report: table with one row per recording, metrics of the run, and HTML page."""
    import pandas as pd

    from etram_pipeline.quality.findings import find, log_findings
    from etram_pipeline.quality.left_out import count_left_out
    from etram_pipeline.quality.survey import Survey
    from etram_pipeline.quality.table import quality_numbers, quality_rows
    from etram_pipeline.reports.quality_page import write_quality_page

    failed = {key: str(failure) for key, failure in quality.failed.items()}
    survey = Survey(dict(quality), failed, dataset, label_sets)
    findings = find(survey)
    log_findings(findings)
    rows = quality_rows(survey, findings)
    left_out = count_left_out(survey, label_files, labels)
    page = write_quality_page(survey, findings, settings, left_out)
    return pd.DataFrame(rows).convert_dtypes(), quality_numbers(rows, findings), page


def describe_labelled_frames(
    recordings: Mapping[str, Path],
    label_files: Mapping[str, Path],
    dataset: DatasetSettings,
    label_sets: LabelSets,
    labels: LabelSettings,
    storage: StorageSettings,
) -> Mapping[str, BuildJob]:
    """Jobs that filter the labels of each recording and select its labelled frames.

    Labels of another label set are refused.
    """
    check_label_set(label_files.values(), dataset, label_sets)
    jobs = label_jobs(recordings, label_files, dataset, labels)
    return check_contents(jobs, check=storage.check_content)


def describe_histograms(
    recordings: Mapping[str, Path],
    labelled_frames: LabelStore,
    dataset: DatasetSettings,
    windows: WindowConfig,
    representation: RepresentationConfig,
    storage: StorageSettings,
) -> Mapping[str, BuildJob]:
    """Jobs that cut each recording into windows and encode them."""
    jobs = encode_jobs(recordings, labelled_frames, dataset, windows, representation, storage)
    return check_contents(jobs, check=storage.check_content)


def report_frames(
    histograms: RepresentationStore, labelled_frames: LabelStore, dataset: DatasetSettings
) -> DataFrame:
    """One row per recording: windows, labelled frames, and filtered boxes by class."""
    import pandas as pd

    from etram_pipeline.reports.frames import frame_rows, log_left_out, warn_of_missed_frames

    log_left_out(labelled_frames)
    warn_of_missed_frames(histograms, labelled_frames)
    return pd.DataFrame(frame_rows(histograms, labelled_frames, dataset.detected_classes))

"""Nodes of the report pipeline: what a person looks at."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from etram_pipeline.core.dataset import SPLITS, DatasetSettings
from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.core.recording_key import in_splits
from etram_pipeline.datasets.detection_store import DetectionSource, DetectionStore
from etram_pipeline.datasets.site import SiteFile
from etram_pipeline.datasets.track_store import REMEDY, TrackStore
from etram_pipeline.evaluation.protocols import resolve_protocol
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.pipelines.count.nodes import counted_traffic
from etram_pipeline.reports.settings import ReportSettings
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.traffic.settings import CountSettings
from etram_pipeline.training.settings import TrainSettings

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from etram_pipeline.analysis.error_report import ErrorReport
    from etram_pipeline.analysis.reliability import CalibrationResult
    from etram_pipeline.evaluation.counts.result import CountMetrics
    from etram_pipeline.evaluation.tracks.result import TrackMetrics
else:  # the command line reads this module long before anything needs these
    ErrorReport = CalibrationResult = Figure = DataFrame = CountMetrics = TrackMetrics = object

FIGURES = ("precision_recall", "class_precision", "confusion", "size_precision")
"""Figures that are saved on their own; the page also has those that depend on the data."""

QUALITY_COLUMNS = (
    "split",
    "recording",
    "seconds",
    "events",
    "outside_sensor",
    "late",
    "gap_seconds",
    "hot_pixels",
    "boxes",
    "problems",
    "warnings",
)
"""Columns of the quality report that the page shows."""


def draw_figures(metrics: Mapping[str, Metrics], report: ReportSettings) -> dict[str, Figure]:
    """Figures of the headline protocol, by dataset."""
    from etram_pipeline.reports import figures

    headline = _headline(metrics, report)
    drawn = figures.draw_report_figures(metrics, None, headline)
    return {f"{name}_figure": drawn.get(name) or figures.draw_absence(headline) for name in FIGURES}


def annotate_video(  # noqa: PLR0913  # one argument per dataset the video shows
    *,
    histograms: RepresentationStore,
    labelled_frames: LabelStore,
    detections: DetectionSource,
    tracks: TrackStore,
    site: SiteFile,
    dataset: DatasetSettings,
    report: ReportSettings,
    count: CountSettings,
) -> tuple[float, Iterator[np.ndarray]]:
    """Speed and pictures of one recording with its tracks and, where there is any, truth."""
    from etram_pipeline.reports.traffic.track_annotation import TrackedView
    from etram_pipeline.reports.video import annotate_recording

    found = detections.of(labelled_frames, dataset)
    key = report.video_recording or _most_labelled(found, labelled_frames)
    if key not in found:
        raise StoreError(
            f"report.video_recording is {key!r}, but detections exist of {', '.join(found)}"
        )
    if key not in tracks:
        raise StoreError(f"{key} has no tracks: {REMEDY}")
    traffic = counted_traffic(tracks, site, count)[key]
    pictures = annotate_recording(
        histograms[key],
        found[key],
        labelled_frames.get(key),
        found.class_names,
        report.drawing(found.operating_scores),
        TrackedView(traffic.tracks, traffic.site, traffic.crossings),
    )
    return report.frames_per_second, pictures


def describe_classes(
    labelled_frames: LabelStore, dataset: DatasetSettings, train: TrainSettings
) -> DataFrame:
    """How often each class occurs in each split, and how often training repeats it."""
    import pandas as pd

    from etram_pipeline.reports.class_statistics import class_statistics

    labels = {
        split: [labelled_frames[key] for key in in_splits(labelled_frames, (split,))]
        for split in SPLITS
    }
    threshold = train.sampling.repeat_threshold
    return pd.DataFrame(class_statistics(labels, dataset.detected_classes, threshold))


def write_report(  # noqa: PLR0913  # one argument per dataset the page shows
    *,
    metrics: Mapping[str, Metrics],
    track_metrics: Mapping[str, TrackMetrics],
    count_metrics: Mapping[str, CountMetrics],
    errors: Mapping[str, ErrorReport],
    breakdowns: DataFrame,
    calibration: Mapping[str, CalibrationResult],
    histograms: RepresentationStore,
    labelled_frames: LabelStore,
    detections: DetectionSource,
    annotated_video: Path,
    training_history: DataFrame,
    quality_report: DataFrame,
    frames_report: DataFrame,
    class_statistics: DataFrame,
    mistakes: DataFrame,
    label_suspects: DataFrame,
    checkpoint: Path,
    run_facts: Mapping[str, str],
    dataset: DatasetSettings,
    train: TrainSettings,
    report: ReportSettings,
) -> str:
    """The report page, as HTML."""
    from etram_pipeline.reports import page
    from etram_pipeline.reports.examples import example_images
    from etram_pipeline.reports.mistakes import mistake_clips

    headline = _headline(metrics, report)
    found = detections.of(labelled_frames, dataset)
    report = report.drawing(found.operating_scores)
    # The detector kept here did not make detections from elsewhere.
    history = [] if found.origin else _rows(training_history)
    drawn_from = histograms, labelled_frames, found, found.class_names, report
    made = _training(history, train) | _what_detected(found, checkpoint)
    content = page.ReportContent(
        metrics=metrics,
        track_metrics=track_metrics,
        count_metrics=count_metrics,
        calibration=calibration,
        errors=errors,
        headline=headline,
        figures=_figures(metrics, history, headline, train)
        | _other_figures(track_metrics, count_metrics, calibration)
        | _figures_of_errors(errors, breakdowns),
        is_tracked=True,
        examples=example_images(*drawn_from),
        video=annotated_video,
        drawn_score=report.drawn_score(),
        quality=quality_of_page(quality_report),
        frames=_rows(frames_report),
        class_statistics=_rows(class_statistics),
        mistakes=mistake_clips(_rows(mistakes), *drawn_from),
        suspects=_rows(label_suspects),
        run={**run_facts, **made, **_data(histograms, labelled_frames)},
    )
    return page.write_page(content)


def quality_of_page(quality_report: DataFrame) -> list[dict[str, Any]]:
    """Rows of the quality report with the columns that the page shows."""
    shown = quality_report[list(QUALITY_COLUMNS)].convert_dtypes()
    # What could not be read has no numbers; the page leaves these cells empty.
    rows: list[dict[str, Any]] = shown.astype(object).where(shown.notna(), "").to_dict("records")
    return rows


def _figures(
    metrics: Mapping[str, Metrics],
    history: Sequence[Mapping[Any, Any]],
    headline: str,
    train: TrainSettings,
) -> dict[str, Figure]:
    from etram_pipeline.reports.figures import draw_report_figures

    validated_by = resolve_protocol(train.validation.protocol)
    return draw_report_figures(metrics, history, headline, validated_by)


def _other_figures(
    track_metrics: Mapping[str, TrackMetrics],
    count_metrics: Mapping[str, CountMetrics],
    calibration: Mapping[str, CalibrationResult],
) -> dict[str, Figure]:
    from etram_pipeline.reports.calibration_figures import draw_calibration_figures
    from etram_pipeline.reports.traffic.score_figures import draw_score_figures

    return draw_score_figures(track_metrics, count_metrics) | draw_calibration_figures(calibration)


def _figures_of_errors(
    errors: Mapping[str, ErrorReport], breakdowns: DataFrame
) -> dict[str, Figure]:
    from etram_pipeline.reports.breakdowns import draw_breakdown_figures
    from etram_pipeline.reports.errors import draw_error_figures

    return draw_error_figures(errors) | draw_breakdown_figures(_rows(breakdowns))


def _rows(table: DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_dict("records")
    return rows


def _headline(metrics: Mapping[str, Metrics], report: ReportSettings) -> str:
    return report.headline or next(iter(metrics))


def _most_labelled(detections: DetectionStore, labelled_frames: LabelStore) -> str:
    if not detections:
        raise StoreError("there are no detections to show: run `kedro run --pipelines predict`")
    boxes = labelled_frames.summaries
    return max(detections, key=lambda key: boxes[key].num_boxes if key in boxes else 0)


def _training(history: Sequence[Mapping[Any, Any]], train: TrainSettings) -> dict[str, Any]:
    if not history:  # a detector from elsewhere, of which nobody knows
        return {}
    steps = max(int(row["step"]) for row in history)
    return {"training steps": steps, "seed": f"{train.seed}, as configured for this run"}


def _what_detected(detections: DetectionStore, checkpoint: Path) -> dict[str, Any]:
    """The detector, or where the detections come from that it did not make."""
    if detections.origin is not None:
        found = {"detections from": str(detections.origin)}
        known = detections.training_run_id
        return found | ({"training run (MLflow)": known} if known else {})
    from etram_pipeline.models.checkpoint import read_checkpoint

    trained = read_checkpoint(checkpoint)
    config = trained.detector_config
    return {
        "detector": "not known" if config is None else config.kind,
        "parameters": trained.num_parameters() or "not known",
        "trained on": trained.dataset_fingerprint,
        "training run (MLflow)": trained.mlflow_run_id or "not logged",
        "detector settings": config and config.model_dump(serialize_as_any=True),
        "representation settings": trained.encoding and trained.encoding.as_plain_data(),
    }


def _data(histograms: RepresentationStore, labelled_frames: LabelStore) -> dict[str, Any]:
    return {
        "representation": histograms.representation_name,
        "training recordings": len(in_splits(labelled_frames, ("train",))),
        "dataset fingerprint": fingerprint([histograms, labelled_frames]),
    }

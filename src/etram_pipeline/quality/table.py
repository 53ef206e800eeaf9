"""The quality of recordings as a table, and summed up as metrics of a run."""

from collections.abc import Callable, Mapping, Sequence

from etram_pipeline.core.dataset import SPLITS
from etram_pipeline.core.recording_key import RecordingKey
from etram_pipeline.quality.event_quality import EventQuality
from etram_pipeline.quality.findings import SEVERITIES, Finding
from etram_pipeline.quality.job import RecordingQuality
from etram_pipeline.quality.label_quality import LabelQuality
from etram_pipeline.quality.survey import Survey

Row = dict[str, str | int | float | None]

EVENT_COLUMNS: Mapping[str, Callable[[EventQuality], int | float]] = {
    "seconds": lambda events: round(events.duration_us / 1e6, 3),
    "events": lambda events: events.num_events,
    "events_per_second": lambda events: round(events.rate_hz),
    "outside_sensor": lambda events: events.num_dropped,
    "before_zero": lambda events: events.num_early,
    "late": lambda events: events.num_late,
    "gaps": lambda events: events.num_gaps,
    "gap_seconds": lambda events: round(events.gaps_us / 1e6, 3),
    "longest_gap_seconds": lambda events: round(events.longest_gap_us / 1e6, 3),
    "hot_pixels": lambda events: events.num_hot_pixels,
    "hot_pixel_events": lambda events: events.num_hot_events,
    "rising_share": lambda events: round(events.rising_share, 4),
}
"""Columns about events, by name."""

LABEL_COLUMNS: Mapping[str, Callable[[LabelQuality], int | float]] = {
    "boxes": lambda labels: labels.num_boxes,
    "tracks": lambda labels: labels.num_tracks,
    "labelled_moments": lambda labels: labels.num_moments,
    "label_hz": lambda labels: labels.rate_hz,
    "longest_label_gap_seconds": lambda labels: round(labels.longest_gap_us / 1e6, 3),
    "boxes_outside_time": lambda labels: labels.num_outside_time,
    "boxes_without_events": lambda labels: labels.num_empty,
    "boxes_without_size": lambda labels: labels.num_without_size,
    "boxes_off_sensor": lambda labels: labels.num_off_sensor,
    "boxes_over_border": lambda labels: labels.num_over_border,
    "boxes_duplicate": lambda labels: labels.num_duplicate,
    "boxes_overlapping": lambda labels: labels.num_overlapping,
}
"""Columns about the boxes of the label file before any filter, by name."""

_SUMMED = (
    "seconds",
    "events",
    "outside_sensor",
    "before_zero",
    "late",
    "gap_seconds",
    "hot_pixels",
    "boxes",
    "boxes_outside_time",
    "boxes_without_events",
    "boxes_without_size",
    "boxes_off_sensor",
    "boxes_duplicate",
)


def quality_rows(survey: Survey, findings: Sequence[Finding]) -> list[Row]:
    """One row per recording; None where a value does not exist, such as without labels.

    The last columns hold the boxes of each class in the label file, the findings of each severity,
    and in `error` why a recording or its label file cannot be read.
    """
    return [_row(key, survey, findings) for key in survey.keys]


def quality_numbers(rows: Sequence[Row], findings: Sequence[Finding]) -> dict[str, float]:
    """Metrics for MLflow: sums over the recordings of each split, and findings by severity."""
    numbers = {
        f"quality/{severity}s": float(sum(finding.severity == severity for finding in findings))
        for severity in SEVERITIES
    }
    for split in SPLITS:
        own = [row for row in rows if row["split"] == split]
        if own:
            numbers[f"quality/{split}/recordings"] = float(len(own))
            numbers[f"quality/{split}/failed"] = float(sum(row["events"] is None for row in own))
            for name in _SUMMED:
                total = sum(float(row[name] or 0) for row in own)
                numbers[f"quality/{split}/{name}"] = round(total, 3)
    return numbers


def _row(key: str, survey: Survey, findings: Sequence[Finding]) -> Row:
    recording = RecordingKey.parse(key)
    quality = survey.recordings.get(key)
    own = [finding for finding in findings if finding.recording == key]
    return {
        "split": recording.split,
        "recording": recording.name,
        **_event_cells(quality),
        **_label_cells(quality),
        **_class_cells(quality, survey.dataset.class_names),
        **{
            f"{severity}s": sum(finding.severity == severity for finding in own)
            for severity in SEVERITIES
        },
        "error": survey.failed.get(key, quality.label_failure if quality else ""),
    }


def _event_cells(quality: RecordingQuality | None) -> Row:
    return {
        name: None if quality is None else value(quality.events)
        for name, value in EVENT_COLUMNS.items()
    }


def _label_cells(quality: RecordingQuality | None) -> Row:
    labels = None if quality is None else quality.labels
    return {
        name: None if labels is None else value(labels) for name, value in LABEL_COLUMNS.items()
    }


def _class_cells(quality: RecordingQuality | None, class_names: Sequence[str]) -> Row:
    labels = None if quality is None else quality.labels
    counts = {} if labels is None else labels.boxes_of_class
    return {
        f"boxes_of_{name}": None if labels is None else counts.get(class_id, 0)
        for class_id, name in enumerate(class_names)
    }

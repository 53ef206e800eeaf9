"""The faults that a recording may have, how much of each counts, and what to do about it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from etram_pipeline.events.quality.units import UNITS_US, likely_unit
from etram_pipeline.labels.quality import LabelQuality
from etram_pipeline.reports.quality.survey import Survey
from etram_pipeline.sequences.quality import RecordingQuality

Severity = Literal["problem", "warning", "note"]
"""A problem spoils results, a warning may, and a note explains an oddity."""

MANY = 0.01
"""Share of events or boxes from which a fault is no longer a matter of a few."""
FEW_LATE = 0.001
"""Share of late events that real cameras deliver."""
HOT = 0.01
"""Share of all events from which hot pixels are worth a warning."""
ONE_SIDED = 0.1
"""Share of the rarer polarity below which something is wrong."""
OVER_BORDER = 0.1
"""Share of boxes over the border from which the labels may be of another sensor."""


Check = Callable[[RecordingQuality, Survey], str]


@dataclass(frozen=True)
class Rule:
    """A fault that a recording may have.

    Attributes:
        severity: How bad it is.
        title: What it is.
        remedy: What to do about it.
        check: Says how much of it there is; empty if there is none.
    """

    severity: Severity
    title: str
    remedy: str
    check: Check


def share_text(part: int, whole: int, noun: str) -> str:
    """`12 of 3,400 events (0.35 %)`."""
    percent = 100 * part / whole
    shown = f"{percent:.2g}" if percent < 10 else f"{percent:.0f}"  # noqa: PLR2004  # two digits
    return f"{part:,} of {whole:,} {noun} ({shown} %)"


def _events(
    count: Callable[[RecordingQuality], int], least: float = 0.0, below: float = math.inf
) -> Check:
    """Tells of some events if they are any, and `least` to `below` of all."""

    def check(quality: RecordingQuality, _survey: Survey) -> str:
        part, whole = count(quality), quality.events.num_events
        return share_text(part, whole, "events") if part and least <= part / whole < below else ""

    return check


def _boxes(
    count: Callable[[LabelQuality], int], least: float = 0.0, below: float = math.inf
) -> Check:
    """Tells of some boxes if they are any, and `least` to `below` of all."""

    def check(quality: RecordingQuality, _survey: Survey) -> str:
        labels = quality.labels
        part, whole = (count(labels), labels.num_boxes) if labels else (0, 0)
        return share_text(part, whole, "boxes") if part and least <= part / whole < below else ""

    return check


def _no_events(quality: RecordingQuality, _survey: Survey) -> str:
    return "" if quality.events.num_kept else f"{quality.events.num_events:,} events in the file"


def _single_polarity(quality: RecordingQuality, _survey: Survey) -> str:
    events = quality.events
    if not events.num_kept or events.num_rising not in {0, events.num_kept}:
        return ""
    return f"all {events.num_kept:,} are {'rising' if events.num_rising else 'falling'}"


def _one_sided(quality: RecordingQuality, survey: Survey) -> str:
    share = quality.events.rising_share
    if _single_polarity(quality, survey) or min(share, 1 - share) >= ONE_SIDED:
        return ""
    return f"{share:.1%} of events are rising"


def _gaps(quality: RecordingQuality, _survey: Survey) -> str:
    events = quality.events
    if not events.num_gaps:
        return ""
    stretches = "1 stretch" if events.num_gaps == 1 else f"{events.num_gaps:,} stretches"
    return (
        f"{stretches}, {events.gaps_us / 1e6:,.2f} s in all; the longest of "
        f"{events.longest_gap_us / 1e6:,.2f} s at {events.longest_gap_start_us / 1e6:,.2f} s"
    )


def _hot_pixels(quality: RecordingQuality, _survey: Survey) -> str:
    events = quality.events
    if not events.num_kept or events.num_hot_events < HOT * events.num_kept:
        return ""
    shown = ", ".join(f"({hot.x}, {hot.y}) {hot.rate_hz:,.0f} Hz" for hot in events.hottest[:3])
    pixels = "1 pixel" if events.num_hot_pixels == 1 else f"{events.num_hot_pixels:,} pixels"
    share = events.num_hot_events / events.num_kept
    return f"{pixels} {'makes' if events.num_hot_pixels == 1 else 'make'} {share:.1%}; {shown}"


def _unknown_classes(quality: RecordingQuality, survey: Survey) -> str:
    labels = quality.labels
    if labels is None:
        return ""
    known = range(len(survey.dataset.class_names))
    unknown = sorted(set(labels.boxes_of_class) - set(known))
    if not unknown:
        return ""
    num_known = sum(labels.boxes_of_class.get(class_id, 0) for class_id in known)
    shown = ", ".join(str(class_id) for class_id in unknown[:8])
    return f"{share_text(labels.num_boxes - num_known, labels.num_boxes, 'boxes')}: ids {shown}"


def _cut_off(quality: RecordingQuality, _survey: Survey) -> str:
    num_bytes = quality.num_bytes_ignored
    return f"the last {num_bytes:,} bytes are not a whole part of it" if num_bytes else ""


def _other_unit(quality: RecordingQuality, _survey: Survey) -> str:
    events = quality.events
    unit = likely_unit(events, quality.height * quality.width)
    if unit is None:
        return ""
    span_s = events.duration_us / 1e6
    return (
        f"{events.num_kept:,} events in {span_s:,.6g} s, which no camera has; "
        f"in {unit} it would be {span_s * UNITS_US[unit]:,.6g} s"
    )


def _not_labelled(quality: RecordingQuality, survey: Survey) -> str:
    missing = quality.labels is None and not quality.label_failure
    return "no label file" if missing and survey.has_labels else ""


def _no_boxes(quality: RecordingQuality, _survey: Survey) -> str:
    empty = quality.labels is not None and not quality.labels.num_boxes
    return "the label file holds no boxes" if empty else ""


def _duplicates(quality: RecordingQuality, survey: Survey) -> str:
    text = _boxes(lambda labels: labels.num_duplicate)(quality, survey)
    if not text or quality.labels is None:
        return ""
    return f"{text}, {quality.labels.num_overlapping:,} of them over the other"


RULES = (
    Rule(
        "warning",
        "cut off at its end",
        "fetch the recording again, or go on with what there is of it",
        _cut_off,
    ),
    Rule("problem", "no events", "remove the recording, or fetch it again", _no_events),
    Rule(
        "problem",
        "the label file cannot be read",
        "mend it, fetch it again, or remove it",
        lambda quality, _: quality.label_failure,
    ),
    Rule(
        "problem",
        "many events outside the sensor",
        "the size of the sensor may be wrong: set `dataset.height` and `dataset.width` for files "
        "that do not say it; what is outside is left out",
        _events(lambda quality: quality.events.num_dropped, least=MANY),
    ),
    Rule(
        "problem",
        "all events have one polarity",
        "half of every histogram stays empty: convert the recording again, keeping polarity",
        _single_polarity,
    ),
    Rule(
        "problem",
        "labels in another unit",
        "convert the label file to microseconds and px of the sensor",
        lambda quality, _: quality.labels.unit_fault if quality.labels else "",
    ),
    Rule(
        "problem",
        "no label belongs to the time of the recording",
        "check that both files are of the same recording, and that labels count microseconds",
        _boxes(lambda labels: labels.num_outside_time, least=1.0),
    ),
    Rule(
        "problem",
        "boxes of classes that have no name",
        "complete `dataset.class_names`, or drop these boxes by the filter `select_classes`",
        _unknown_classes,
    ),
    Rule(
        "problem",
        "boxes without a size",
        "mend the label file: width and height must be positive and finite",
        _boxes(lambda labels: labels.num_without_size),
    ),
    Rule(
        "warning",
        "stretches without events",
        "the camera stalled, or a part of the file is lost: windows there are empty",
        _gaps,
    ),
    Rule(
        "warning",
        "events timed before an earlier one",
        "they count at the time of that one; so many come of a fault of the camera or of a "
        "conversion",
        _events(lambda quality: quality.events.num_late, least=FEW_LATE),
    ),
    Rule(
        "warning",
        "times may be in another unit than microseconds",
        "look up the unit that the recording was written in, and write its times in microseconds",
        _other_unit,
    ),
    Rule(
        "warning",
        "events before time zero",
        "they are left out; shift the times of recording and labels if they matter",
        _events(lambda quality: quality.events.num_early),
    ),
    Rule(
        "warning",
        "hot pixels make many of the events",
        "switch them off in the camera for recordings to come; `representation.max_count` limits "
        "what they do to these",
        _hot_pixels,
    ),
    Rule(
        "warning",
        "polarity is one-sided",
        "look at the camera's thresholds (biases), or at how the recording was converted",
        _one_sided,
    ),
    Rule(
        "warning",
        "labels outside the time of the recording",
        "their frames show nothing: cut the label file, or check that it is of this recording",
        _boxes(lambda labels: labels.num_outside_time, below=1.0),
    ),
    Rule(
        "warning",
        "labels where there are no events",
        "a detector is asked for what nobody can see: remove these labels",
        _boxes(lambda labels: labels.num_empty),
    ),
    Rule(
        "warning",
        "boxes off the sensor",
        "the filter `crop_to_sensor` drops them; many mean that labels are of another sensor",
        _boxes(lambda labels: labels.num_off_sensor),
    ),
    Rule(
        "warning",
        "many boxes over the border of the sensor",
        "labels may be in px of another resolution: compare them with the video",
        _boxes(lambda labels: labels.num_over_border, least=OVER_BORDER),
    ),
    Rule(
        "warning",
        "two boxes of one track at one time",
        "remove the copy; where they do not overlap, give the second object a track of its own",
        _duplicates,
    ),
    Rule("warning", "no boxes", "check that the right label file is in place", _no_boxes),
    Rule(
        "note",
        "few events outside the sensor",
        "they are left out",
        _events(lambda quality: quality.events.num_dropped, below=MANY),
    ),
    Rule(
        "note",
        "few events timed before an earlier one",
        "they count at the time of that one",
        _events(lambda quality: quality.events.num_late, below=FEW_LATE),
    ),
    Rule(
        "note",
        "no label file",
        "it is called <recording>_bbox.npy and lies in the split of its recording; with windows "
        "of kind `label_aligned` the recording is skipped",
        _not_labelled,
    ),
)
"""Faults in the order in which they are listed, within a severity."""

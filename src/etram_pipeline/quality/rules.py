"""The faults that a recording may have, how bad each is, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

from etram_pipeline.quality.checks import (
    FEW_LATE,
    MANY,
    OVER_BORDER,
    Check,
    boxes,
    cut_off,
    duplicates,
    events,
    gaps,
    hot_pixels,
    no_boxes,
    no_events,
    not_labelled,
    one_sided,
    other_unit,
    single_polarity,
    unknown_classes,
)

Severity = Literal["problem", "warning", "note"]
"""A problem spoils results, a warning may, and a note explains an oddity."""


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


RULES = (
    Rule(
        "warning",
        "cut off at its end",
        "fetch the recording again, or go on with what there is of it",
        cut_off,
    ),
    Rule("problem", "no events", "remove the recording, or fetch it again", no_events),
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
        events(lambda quality: quality.events.num_dropped, least=MANY),
    ),
    Rule(
        "problem",
        "all events have one polarity",
        "half of every histogram stays empty: convert the recording again, keeping polarity",
        single_polarity,
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
        boxes(lambda labels: labels.num_outside_time, least=1.0),
    ),
    Rule(
        "problem",
        "boxes of classes that have no name",
        "complete `dataset.class_names`, or drop these boxes by the filter `select_classes`",
        unknown_classes,
    ),
    Rule(
        "problem",
        "boxes without a size",
        "mend the label file: width and height must be positive and finite",
        boxes(lambda labels: labels.num_without_size),
    ),
    Rule(
        "warning",
        "stretches without events",
        "the camera stalled, or a part of the file is lost: windows there are empty",
        gaps,
    ),
    Rule(
        "warning",
        "events timed before an earlier one",
        "they count at the time of that one; so many come of a fault of the camera or of a "
        "conversion",
        events(lambda quality: quality.events.num_late, least=FEW_LATE),
    ),
    Rule(
        "warning",
        "times may be in another unit than microseconds",
        "look up the unit that the recording was written in, and write its times in microseconds",
        other_unit,
    ),
    Rule(
        "warning",
        "events before time zero",
        "they are left out; shift the times of recording and labels if they matter",
        events(lambda quality: quality.events.num_early),
    ),
    Rule(
        "warning",
        "hot pixels make many of the events",
        "switch them off in the camera for recordings to come; `representation.max_count` limits "
        "what they do to these",
        hot_pixels,
    ),
    Rule(
        "warning",
        "polarity is one-sided",
        "look at the camera's thresholds (biases), or at how the recording was converted",
        one_sided,
    ),
    Rule(
        "warning",
        "labels outside the time of the recording",
        "their frames show nothing: cut the label file, or check that it is of this recording",
        boxes(lambda labels: labels.num_outside_time, below=1.0),
    ),
    Rule(
        "warning",
        "labels where there are no events",
        "a detector is asked for what nobody can see: remove these labels",
        boxes(lambda labels: labels.num_empty),
    ),
    Rule(
        "warning",
        "boxes off the sensor",
        "the filter `crop_to_sensor` drops them; many mean that labels are of another sensor",
        boxes(lambda labels: labels.num_off_sensor),
    ),
    Rule(
        "warning",
        "many boxes over the border of the sensor",
        "labels may be in px of another resolution: compare them with the video",
        boxes(lambda labels: labels.num_over_border, least=OVER_BORDER),
    ),
    Rule(
        "warning",
        "two boxes of one track at one time",
        "remove the copy; where they do not overlap, give the second object a track of its own",
        duplicates,
    ),
    Rule("warning", "no boxes", "check that the right label file is in place", no_boxes),
    Rule(
        "note",
        "few events outside the sensor",
        "they are left out",
        events(lambda quality: quality.events.num_dropped, below=MANY),
    ),
    Rule(
        "note",
        "few events timed before an earlier one",
        "they count at the time of that one",
        events(lambda quality: quality.events.num_late, below=FEW_LATE),
    ),
    Rule(
        "note",
        "no label file",
        "it is called <recording>_bbox.npy and lies in the split of its recording; with windows "
        "of kind `label_aligned` the recording is skipped",
        not_labelled,
    ),
)
"""Faults in the order in which they are listed, within a severity."""

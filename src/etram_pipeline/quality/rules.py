"""The faults that a recording may have, with the severity and remedy of each."""

from dataclasses import dataclass
from typing import Literal

from etram_pipeline.quality.checks import (
    FEW_LATE,
    MANY,
    OVER_BORDER,
    Check,
    cut_off,
    duplicates,
    gaps,
    hot_pixels,
    no_boxes,
    no_events,
    not_labelled,
    one_sided,
    other_clock,
    other_unit,
    outside_time,
    share_of_boxes,
    share_of_events,
    single_polarity,
    unknown_classes,
)

Severity = Literal["problem", "warning", "note"]
"""A problem spoils results, a warning may spoil them, and a note explains an oddity."""


@dataclass(frozen=True)
class Rule:
    """A fault that a recording may have.

    Attributes:
        severity: How serious it is.
        title: Short name of the fault.
        remedy: What to do about it.
        check: Gives its extent as text; empty without the fault.
    """

    severity: Severity
    title: str
    remedy: str
    check: Check


RULES = (
    Rule(
        "warning",
        "cut off at its end",
        "fetch the recording again, or use the part that exists",
        cut_off,
    ),
    Rule("problem", "no events", "remove the recording, or fetch it again", no_events),
    Rule(
        "problem",
        "the label file cannot be read",
        "repair it, fetch it again, or remove it",
        lambda quality, _: quality.label_failure,
    ),
    Rule(
        "problem",
        "many events outside the sensor",
        "the size of the sensor may be wrong: set `dataset.height` and `dataset.width` for files "
        "that do not state it; events outside are left out",
        share_of_events(lambda quality: quality.events.num_dropped, least=MANY),
    ),
    Rule(
        "problem",
        "all events have one polarity",
        "half of every histogram stays empty: convert the recording again with both polarities",
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
        "labels and recording count time from different moments",
        "set `dataset.clock` as stated; the labels are probably timed as by another program",
        other_clock,
    ),
    Rule(
        "problem",
        "no label belongs to the time of the recording",
        "check that both files belong to the same recording, and that label times are microseconds",
        share_of_boxes(outside_time, least=1.0),
    ),
    Rule(
        "problem",
        "boxes of classes that have no name",
        "complete `dataset.class_names`, or drop these boxes with the filter `select_classes`",
        unknown_classes,
    ),
    Rule(
        "problem",
        "boxes without a size",
        "repair the label file: width and height must be positive and finite",
        share_of_boxes(lambda labels: labels.num_without_size),
    ),
    Rule(
        "warning",
        "stretches without events",
        "the camera stalled, or part of the file was lost: windows at these times are empty",
        gaps,
    ),
    Rule(
        "warning",
        "events timed before an earlier one",
        "they are given the time of that event; so many indicate a fault of the camera or of a "
        "conversion",
        share_of_events(lambda quality: quality.events.num_late, least=FEW_LATE),
    ),
    Rule(
        "warning",
        "times may be in another unit than microseconds",
        "find out the unit of the recording's times, and convert them to microseconds",
        other_unit,
    ),
    Rule(
        "warning",
        "events before time zero",
        "they are left out; if they matter, shift the times of the recording and its labels",
        share_of_events(lambda quality: quality.events.num_early),
    ),
    Rule(
        "warning",
        "hot pixels make many of the events",
        "switch them off in the camera for future recordings; `representation.max_count` limits "
        "their effect on this one",
        hot_pixels,
    ),
    Rule(
        "warning",
        "polarity is one-sided",
        "check the camera's thresholds (biases) and the conversion of the recording",
        one_sided,
    ),
    Rule(
        "warning",
        "labels outside the time of the recording",
        "their frames are empty: trim the label file, or check that it belongs to this recording",
        share_of_boxes(outside_time, below=1.0),
    ),
    Rule(
        "warning",
        "labels where there are no events",
        "a detector cannot find what produces no events: remove these labels",
        share_of_boxes(lambda labels: labels.num_empty),
    ),
    Rule(
        "warning",
        "boxes off the sensor",
        "the filter `crop_to_sensor` drops them; many of them suggest labels of another sensor",
        share_of_boxes(lambda labels: labels.num_off_sensor),
    ),
    Rule(
        "warning",
        "many boxes over the border of the sensor",
        "the labels may be in px of another resolution: compare them with the video",
        share_of_boxes(lambda labels: labels.num_over_border, least=OVER_BORDER),
    ),
    Rule(
        "warning",
        "two boxes of one track at one time",
        "remove the copy; where the boxes do not overlap, give the second object its own track id",
        duplicates,
    ),
    Rule("warning", "no boxes", "check that the right label file is in place", no_boxes),
    Rule(
        "note",
        "few events outside the sensor",
        "they are left out",
        share_of_events(lambda quality: quality.events.num_dropped, below=MANY),
    ),
    Rule(
        "note",
        "few events timed before an earlier one",
        "they are given the time of that event",
        share_of_events(lambda quality: quality.events.num_late, below=FEW_LATE),
    ),
    Rule(
        "note",
        "no label file",
        "it must be named <recording>_bbox.npy and lie in the split of its recording; with windows "
        "of kind `label_aligned`, the recording is skipped",
        not_labelled,
    ),
)
"""All faults, in the order in which findings of the same severity are listed."""

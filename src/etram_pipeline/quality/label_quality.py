"""Statistics of a label file, before any filter."""

import numpy as np
from jaxtyping import Bool, Int64
from pydantic import Field

from etram_pipeline.core.component import Settings
from etram_pipeline.labels.table import LabelTable, box_column
from etram_pipeline.labels.units import place_fault, time_fault

_NUM_CLASSES = 32

Mask = Bool[np.ndarray, " N"]


class LabelQuality(Settings):
    """Measurements of the label file of a recording, one box per row.

    Attributes:
        num_boxes: Rows of the file.
        num_moments: Distinct times.
        num_tracks: Distinct track ids; 0 if all boxes have the same one.
        rate_hz: Labelled times per second, from their median distance; 0 with fewer than two.
        longest_gap_us: Longest time between two successive labelled times, in microseconds.
        num_outside_time: Boxes more than `gap_us` before the first event or after the last.
        num_empty: Boxes during the recording without any event in the `gap_us` before them.
        num_without_size: Boxes whose position or size is not finite, or with a side that is not
            positive.
        num_off_sensor: Other boxes that lie entirely off the sensor.
        num_over_border: Other boxes that extend more than one px beyond the border of the sensor.
        num_duplicate: Boxes after the first with the same track and time. In a file without tracks,
            boxes with the same time, position and size as an earlier one.
        num_overlapping: Duplicates that overlap the preceding box of the same track and time, which
            is one object labelled twice. The other duplicates are two objects with one track id.
        boxes_of_class: Boxes by class id, for the 32 most frequent ids.
        clock: The clock by which labels lie within the recording, if they begin before it by the
            times in its file; else empty.
        unit_fault: Why times or positions seem not to be in microseconds and px; empty if they do.
    """

    num_boxes: int = 0
    num_moments: int = 0
    num_tracks: int = 0
    rate_hz: float = 0.0
    longest_gap_us: int = 0
    num_outside_time: int = 0
    num_empty: int = 0
    num_without_size: int = 0
    num_off_sensor: int = 0
    num_over_border: int = 0
    num_duplicate: int = 0
    num_overlapping: int = 0
    boxes_of_class: dict[int, int] = Field(default_factory=dict)
    clock: str = Field(default="", exclude_if=lambda value: not value)
    unit_fault: str = ""


class RecordingExtent(Settings):
    """Size and time span of the recording that labels belong to.

    Attributes:
        height: Rows of the sensor, in px.
        width: Columns of the sensor, in px.
        span_us: Times of its first and last event, in microseconds; None without events, when the
            times of labels cannot be checked.
        gap_us: Longest time without events that is normal, in microseconds.
    """

    height: int
    width: int
    span_us: tuple[int, int] | None
    gap_us: int


def measure_labels(
    labels: LabelTable, last_event_us: Int64[np.ndarray, " M"], recording: RecordingExtent
) -> LabelQuality:
    """Measure the boxes of one recording.

    Args:
        labels: All boxes of the label file, in order of time.
        last_event_us: Time of the last event at or before each distinct label time, in ascending
            order, in microseconds; -1 where there is none.
        recording: The recording of these labels.
    """
    moments_us, moment_of_box = np.unique(labels["t"].astype(np.int64), return_inverse=True)
    distances_us = np.diff(moments_us)
    outside, empty = _mistimed(moments_us, last_event_us, recording)
    broken, off, over = _misplaced(labels, recording.height, recording.width)
    faults = [
        time_fault(labels, recording.span_us) if recording.span_us else "",
        place_fault(labels, recording.height, recording.width),
    ]
    num_tracks = len(np.unique(labels["track_id"]))
    duplicate, overlapping = _duplicates(labels, told_apart=num_tracks > 1)
    return LabelQuality(
        num_boxes=len(labels),
        num_moments=len(moments_us),
        num_tracks=num_tracks if num_tracks > 1 else 0,
        rate_hz=round(1e6 / float(np.median(distances_us)), 3) if len(distances_us) else 0.0,
        longest_gap_us=int(distances_us.max(initial=0)),
        num_outside_time=int(np.count_nonzero(outside[moment_of_box])),
        num_empty=int(np.count_nonzero(empty[moment_of_box])),
        num_without_size=int(np.count_nonzero(broken)),
        num_off_sensor=int(np.count_nonzero(off)),
        num_over_border=int(np.count_nonzero(over)),
        num_duplicate=int(np.count_nonzero(duplicate)),
        num_overlapping=int(np.count_nonzero(overlapping)),
        boxes_of_class=_boxes_of_class(labels),
        unit_fault="; ".join(filter(None, faults)),
    )


def _mistimed(
    moments_us: Int64[np.ndarray, " M"],
    last_event_us: Int64[np.ndarray, " M"],
    recording: RecordingExtent,
) -> tuple[Bool[np.ndarray, " M"], Bool[np.ndarray, " M"]]:
    """Label times outside the recording, and those inside it without an event before them."""
    if recording.span_us is None:
        return np.zeros(len(moments_us), np.bool_), np.zeros(len(moments_us), np.bool_)
    start_us, last_us = recording.span_us
    outside = (moments_us < start_us - recording.gap_us) | (moments_us > last_us + recording.gap_us)
    # Before the first event there is nothing to see, which is not a fault of the recording.
    begun = moments_us >= start_us
    return outside, ~outside & begun & (moments_us - last_event_us > recording.gap_us)


def _boxes_of_class(labels: LabelTable) -> dict[int, int]:
    class_ids, counts = np.unique(labels["class_id"], return_counts=True)
    most = np.sort(np.argsort(-counts, kind="stable")[:_NUM_CLASSES])
    return dict(zip(class_ids[most].tolist(), counts[most].tolist(), strict=True))


def _misplaced(labels: LabelTable, height: int, width: int) -> tuple[Mask, Mask, Mask]:
    """Boxes without a size, off the sensor, and over its border; the three are disjoint."""
    sides = [box_column(labels, name).astype(np.float64) for name in ("x", "y", "w", "h")]
    left, top, box_width, box_height = sides
    with np.errstate(invalid="ignore"):
        right, bottom = left + box_width, top + box_height
        broken = ~np.isfinite(sides).all(axis=0) | ~((box_width > 0) & (box_height > 0))
        off = ~broken & ((right <= 0) | (bottom <= 0) | (left >= width) | (top >= height))
        beyond = np.maximum.reduce([-left, -top, right - width, bottom - height])
        over = ~broken & ~off & (beyond > 1)
    return broken, off, over


def _duplicates(labels: LabelTable, *, told_apart: bool) -> tuple[Mask, Mask]:
    """Boxes whose track has an earlier box at the same time; those that overlap that box."""
    names = ("t", "track_id") if told_apart else ("t", "x", "y", "w", "h")
    order = np.lexsort([labels[name] for name in reversed(names)])
    ordered = labels[order]
    repeated = np.zeros(len(labels), np.bool_)
    repeated[1:] = np.logical_and.reduce(
        [ordered[name][1:] == ordered[name][:-1] for name in names]
    )
    overlapping = repeated.copy()
    overlapping[1:] &= _overlap(ordered)
    return repeated, overlapping


def _overlap(labels: LabelTable) -> Bool[np.ndarray, " M"]:
    """Whether each box except the first overlaps the preceding one."""
    shared = []
    for start, size in (("x", "w"), ("y", "h")):
        first = box_column(labels, start)
        last = first + box_column(labels, size)
        shared.append(np.minimum(last[1:], last[:-1]) > np.maximum(first[1:], first[:-1]))
    return np.asarray(shared[0] & shared[1])

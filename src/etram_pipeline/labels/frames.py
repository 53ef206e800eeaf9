"""Labelled frames: the times of a recording at which a detector is trained and scored."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64
from numpy.lib.recfunctions import repack_fields

from etram_pipeline.core.errors import NoLabelsError
from etram_pipeline.labels.filters import FilterContext
from etram_pipeline.labels.moments import NOTHING_LEFT_OUT, LeftOut, choose_moments
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.labels.table import LabelTable, box_column

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledFrames:
    """Boxes of one recording, grouped by the frame they belong to.

    Attributes:
        labels: Boxes of all frames in order of time, in px of the sensor.
        first_label: Row of the first box of each frame; the boxes of a frame end where those of the
            next begin. A frame without boxes has the row of the next one.
        times_us: Time of each frame, in microseconds; ascending.
        interval_us: Regular distance of frames, in microseconds; gaps are multiples of it. 0 if
            unknown or irregular.
        left_out: Numbers of labelled moments that are no frame.
    """

    labels: LabelTable
    first_label: Int64[np.ndarray, " F"]
    times_us: Int64[np.ndarray, " F"]
    interval_us: int
    left_out: LeftOut = NOTHING_LEFT_OUT

    def __len__(self) -> int:
        return len(self.times_us)

    @property
    def num_boxes(self) -> Int64[np.ndarray, " F"]:
        """Number of boxes of each frame."""
        counts: Int64[np.ndarray, " F"] = np.diff(self.first_label, append=len(self.labels))
        return counts

    @property
    def empty_us(self) -> Int64[np.ndarray, " E"]:
        """Times of the frames without a box, in microseconds."""
        empty_us: Int64[np.ndarray, " E"] = self.times_us[self.num_boxes == 0]
        return empty_us

    def at(self, wanted_us: Int64[np.ndarray, " W"]) -> "LabelledFrames":
        """The frames at some times, which are irregular."""
        chosen = np.isin(self.times_us, wanted_us)
        num_boxes = self.num_boxes[chosen]
        return replace(
            self,
            labels=self.labels[np.isin(self.labels["t"], wanted_us)],
            first_label=np.cumsum(num_boxes) - num_boxes,
            times_us=self.times_us[chosen],
            interval_us=0,
        )

    def __getitem__(self, frame: int) -> LabelTable:
        """Boxes of one frame."""
        stop = self.first_label[frame + 1] if frame + 1 < len(self) else len(self.labels)
        return self.labels[self.first_label[frame] : stop]


class LabelTables(dict[str, LabelTable]):
    """Tables of labels by recording, with the moments that are known to show no object.

    Attributes:
        empty_us: These moments by recording, in microseconds; ascending.
    """

    def __init__(self, frames: Mapping[str, LabelledFrames]) -> None:
        """Take the boxes and the frames without any from labelled frames, which are read once."""
        super().__init__()
        self.empty_us: dict[str, Int64[np.ndarray, " _"]] = {}
        for key, each in frames.items():
            self[key], self.empty_us[key] = each.labels, each.empty_us


def filter_labels(
    labels: LabelTable, settings: LabelSettings, context: FilterContext, where: str = "labels"
) -> LabelTable:
    """Boxes that pass all filters, which are applied in the order of the settings.

    Boxes whose position or size is not finite, or whose size is negative, are dropped first, with a
    warning.

    Args:
        labels: Boxes of one recording, in order of time.
        settings: The filters.
        context: Dataset, split and sensor size of the recording.
        where: Source of the boxes, for the log.
    """
    sides = np.stack([box_column(labels, name) for name in ("x", "y", "w", "h")])
    is_box = np.isfinite(sides).all(axis=0) & (sides[2:] >= 0).all(axis=0)
    if not is_box.all():
        logger.warning(
            "%s: %d of %d boxes have a position or size that is not finite, or a negative size, "
            "and are left out",
            where,
            np.count_nonzero(~is_box),
            len(labels),
        )
        labels = labels[is_box]
    for config in settings.filters:
        labels = config.build(context)(labels)
    return labels


def select_frames(
    labels: LabelTable,
    settings: LabelSettings,
    where: str = "labels",
    span_us: tuple[int, int] | None = None,
    known_us: Int64[np.ndarray, " K"] | None = None,
) -> LabelledFrames:
    """Group boxes by labelled frame; boxes at other moments are left out and counted.

    Args:
        labels: Boxes in order of time.
        settings: How frames are chosen, see `labels.moments`; the filters are not applied here.
        where: Source of the boxes, for the log.
        span_us: Times of the recording's first and last event, in microseconds; labels far outside
            them are left out. None: the labels are not compared with the recording.
        known_us: Moments that were looked at, in microseconds, which may be frames without a box.

    Raises:
        NoLabelsError: If no label time is left; states why.
    """
    box_times_us = labels["t"].astype(np.int64)
    label_times_us = np.union1d(
        box_times_us, np.zeros(0, np.int64) if known_us is None else known_us
    )
    if len(label_times_us) == 0:
        raise NoLabelsError("no box is left after the filters")
    if len(label_times_us) == 1:
        logger.warning(
            "%s: only one time is labelled, at %.1f ms: its recording has a single frame",
            where,
            label_times_us[0] / 1000,
        )
    chosen = choose_moments(label_times_us, settings, span_us)
    times_us = chosen.times_us
    if len(times_us) == 0:
        raise NoLabelsError(_why_none(label_times_us, settings, span_us))
    frame_of_box = np.searchsorted(times_us, box_times_us).clip(max=len(times_us) - 1)
    in_frame = times_us[frame_of_box] == box_times_us
    first_label = np.searchsorted(box_times_us[in_frame], times_us).astype(np.int64)
    # The reference's files have no padding between columns, even if their source has.
    boxes = repack_fields(labels[in_frame])
    return LabelledFrames(boxes, first_label, times_us, chosen.interval_us, chosen.left_out)


def _why_none(
    label_times_us: Int64[np.ndarray, " U"],
    settings: LabelSettings,
    span_us: tuple[int, int] | None,
) -> str:
    if span_us is None or label_times_us[-1] < 1000 * settings.first_frame_ms:
        return (
            f"all labels are before {settings.first_frame_ms} ms, the earliest time of a frame "
            f"(the last one is at {label_times_us[-1] / 1000:.1f} ms): "
            "lower `labels.first_frame_ms` to use them"
        )
    return (
        f"no label lies within the recording: labels range from {label_times_us[0]} to "
        f"{label_times_us[-1]} us, and events from {span_us[0]} to {span_us[1]} us; check that "
        "both belong together, and that their clocks start at the same moment"
    )

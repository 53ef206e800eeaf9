"""Labelled frames: the times of a recording at which a detector is trained and scored."""

import logging
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64
from numpy.lib.recfunctions import repack_fields

from etram_pipeline.core.errors import NoLabelsError
from etram_pipeline.labels.filters import FilterContext
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.labels.table import LabelTable, box_column

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledFrames:
    """Boxes of one recording, grouped by the frame they belong to.

    Attributes:
        labels: Boxes of all frames in order of time, in px of the sensor.
        first_label: Row of the first box of each frame; the boxes of a frame end where those of the
            next begin.
        times_us: Time of each frame, in microseconds; ascending.
        interval_us: Regular distance of frames, in microseconds; gaps are multiples of it. 0 if
            unknown.
    """

    labels: LabelTable
    first_label: Int64[np.ndarray, " F"]
    times_us: Int64[np.ndarray, " F"]
    interval_us: int

    def __len__(self) -> int:
        return len(self.times_us)

    def __getitem__(self, frame: int) -> LabelTable:
        """Boxes of one frame."""
        stop = self.first_label[frame + 1] if frame + 1 < len(self) else len(self.labels)
        return self.labels[self.first_label[frame] : stop]


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
    labels: LabelTable, settings: LabelSettings, where: str = "labels"
) -> LabelledFrames:
    """Group boxes by labelled frame; boxes between two frames are left out.

    The first frame is the first label time that `first_frame_ms` allows. A further frame follows at
    every label time that lies a multiple of the interval after the previous frame, within the
    tolerance. Drift of the labels' clock therefore does not accumulate.

    Args:
        labels: Boxes in order of time.
        settings: Distance and tolerance of frames; the filters are not applied here.
        where: Source of the boxes, for the log.

    Raises:
        NoLabelsError: If no label time is left; states why.

    Source: RVT, `scripts/genx/preprocess_dataset.py`, `labels_and_ev_repr_timestamps`.
    """
    box_times_us = labels["t"].astype(np.int64)
    label_times_us = np.unique(box_times_us)
    if len(label_times_us) == 0:
        raise NoLabelsError("no box is left after the filters")
    interval_us = _interval_us(label_times_us, settings, where)
    late_enough_us = label_times_us[label_times_us >= 1000 * settings.first_frame_ms]
    if len(late_enough_us) == 0:
        raise NoLabelsError(
            f"all labels are before {settings.first_frame_ms} ms, the earliest time of a frame "
            f"(the last one is at {label_times_us[-1] / 1000:.1f} ms): "
            "lower `labels.first_frame_ms` to use them"
        )
    times_us, num_too_close = _on_grid(late_enough_us, interval_us, settings.tolerance_us)
    if num_too_close:
        logger.warning(
            "%s: %d label times follow a labelled frame within %d us and are left out",
            where,
            num_too_close,
            settings.tolerance_us,
        )
    frame_of_box = np.searchsorted(times_us, box_times_us).clip(max=len(times_us) - 1)
    in_frame = times_us[frame_of_box] == box_times_us
    first_label = np.searchsorted(box_times_us[in_frame], times_us).astype(np.int64)
    # The reference's files have no padding between columns, even if their source has.
    return LabelledFrames(repack_fields(labels[in_frame]), first_label, times_us, interval_us)


def _interval_us(
    label_times_us: Int64[np.ndarray, " U"], settings: LabelSettings, where: str
) -> int:
    """Multiple of the labels' distance nearest to the wanted one: 3 at 30 Hz, 6 at 60 Hz."""
    wanted_us = 1000 * settings.frame_interval_ms
    if len(label_times_us) == 1:
        logger.warning(
            "%s: only one time is labelled, at %.1f ms: its recording has a single frame",
            where,
            label_times_us[0] / 1000,
        )
        return wanted_us
    stated_us = 1000 * (settings.label_interval_ms or 0)
    distance_us = stated_us or float(np.median(np.diff(label_times_us)))
    return int(max(1, round(wanted_us / distance_us)) * distance_us)


def _on_grid(
    label_times_us: Int64[np.ndarray, " U"], interval_us: int, tolerance_us: int
) -> tuple[Int64[np.ndarray, " F"], int]:
    """Times of the frames, and the number of label times too close to a frame to be the next."""
    times_us = [int(label_times_us[0])]
    num_too_close = 0
    for time_us in label_times_us[1:].tolist():
        elapsed_us = time_us - times_us[-1]
        num_intervals = round(elapsed_us / interval_us)
        if abs(elapsed_us - num_intervals * interval_us) > tolerance_us:
            continue
        if num_intervals > 0:
            times_us.append(time_us)
        else:
            num_too_close += 1
    return np.array(times_us, np.int64), num_too_close

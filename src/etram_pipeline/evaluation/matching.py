"""Which detections are compared with which labels: frames, as COCO has images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.tables import Masks, TimedBoxes


@dataclass(frozen=True)
class FrameBoxes:
    """Boxes of many frames.

    Attributes:
        frames: Frame each belongs to; ascending.
        boxes_xywh: In px of a protocol's grid.
        class_ids: Of the tables, or positions among the classes that count.
        scores: Ranking score; zeros for labels.
        masks: `RunLengths` of each box in px of the sensor; None: the protocol needs no masks.
        rows: Row of each label in the table of its recording; None for detections.
    """

    frames: Int64[np.ndarray, " N"]
    boxes_xywh: Float32[np.ndarray, "N 4"]
    class_ids: Int64[np.ndarray, " N"]
    scores: Float64[np.ndarray, " N"]
    masks: Masks | None = None
    rows: Int64[np.ndarray, " N"] | None = None

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def areas(self) -> Float32[np.ndarray, " N"]:
        """Area of each box in px²; single precision, as in the references."""
        width, height = self.boxes_xywh[:, 2:].T
        areas: Float32[np.ndarray, " N"] = width * height
        return areas

    def take(self, rows: Int64[np.ndarray, " M"] | Bool[np.ndarray, " N"]) -> "FrameBoxes":
        """The boxes at `rows`, in that order."""
        return FrameBoxes(
            self.frames[rows],
            self.boxes_xywh[rows],
            self.class_ids[rows],
            self.scores[rows],
            None if self.masks is None else self.masks[rows],
            None if self.rows is None else self.rows[rows],
        )

    def renumbered(self, numbers: Int64[np.ndarray, " F"]) -> "FrameBoxes":
        """The same boxes, with a new number for each frame."""
        return replace(self, frames=numbers[self.frames])

    def mapped(self, index_of_id: Int64[np.ndarray, " I"]) -> "FrameBoxes":
        """The boxes whose class counts, with its position for an id."""
        indices = index_of_id[self.class_ids]
        return replace(self, class_ids=indices).take(indices >= 0)

    def without_classes(self) -> "FrameBoxes":
        """All boxes as one class; within a frame in order of their former classes."""
        # The references join the classes one after the other, which decides between equal scores.
        return self.take(np.lexsort((self.class_ids, self.frames))).as_one_class()

    def as_one_class(self) -> "FrameBoxes":
        """The same boxes in the same order, all as one class."""
        return replace(self, class_ids=np.zeros_like(self.class_ids))

    def by_content(self) -> "FrameBoxes":
        """The boxes of each frame in the order of what they are, whatever the order of rows."""
        columns = (self.scores, self.class_ids, *self.boxes_xywh.T[::-1], self.frames)
        return self.take(np.lexsort(columns))


@dataclass(frozen=True)
class Frames:
    """What was there and what was found, moment by moment.

    Attributes:
        recordings: Recording each frame belongs to, as a position among those compared.
        labels: Boxes of ground truth.
        detections: Boxes found; one near two frames is in both.
        times_us: Time of each frame, in microseconds.
    """

    recordings: Int64[np.ndarray, " F"]
    labels: FrameBoxes
    detections: FrameBoxes
    times_us: Int64[np.ndarray, " F"]

    def __len__(self) -> int:
        return len(self.recordings)

    def mapped(self, index_of_id: Int64[np.ndarray, " I"]) -> "Frames":
        """The same frames with the classes that count."""
        return replace(
            self,
            labels=self.labels.mapped(index_of_id),
            detections=self.detections.mapped(index_of_id),
        )

    def without_classes(self) -> "Frames":
        """The same frames with all boxes as one class."""
        return replace(
            self,
            labels=self.labels.without_classes(),
            detections=self.detections.without_classes(),
        )

    def of_recordings(self, wanted: Bool[np.ndarray, " R"]) -> "Frames":
        """The frames of the recordings wanted, numbered anew."""
        in_frame = wanted[self.recordings]
        number = np.cumsum(in_frame) - 1
        return Frames(
            (np.cumsum(wanted) - 1)[self.recordings[in_frame]],
            self.labels.take(in_frame[self.labels.frames]).renumbered(number),
            self.detections.take(in_frame[self.detections.frames]).renumbered(number),
            self.times_us[in_frame],
        )


def compared_detections(
    detections: TimedBoxes, label_times_us: Int64[np.ndarray, " L"], protocol: Protocol
) -> TimedBoxes:
    """Detections of one recording that `protocol.frames` compares.

    Args:
        detections: All detections of the recording.
        label_times_us: Time of every label, including those whose box does not count: the
            references run the detector there too. Also of every moment without a label.
        protocol: Says which detections to compare.
    """
    if protocol.frames != "labelled":
        return detections
    return detections.select(np.isin(detections.times_us, label_times_us))


def match_recording(
    labels: TimedBoxes,
    detections: TimedBoxes,
    protocol: Protocol,
    empty_us: Int64[np.ndarray, " E"] | None = None,
) -> Frames:
    """Frames of one recording: one for each time that has a label, in order of time.

    Moments `empty_us`, which are known to show no object, are frames as well.

    With `protocol.frames` `all`, one more for each time at which something was detected farther
    than the tolerance from every label; these come last.

    Source: RVT, `utils/evaluation/prophesee/metrics/coco_eval.py`, `_match_times`.
    """
    times_us = np.union1d(labels.times_us, [] if empty_us is None else empty_us).astype(np.int64)
    first, stop = _within(detections.times_us, times_us, protocol.tolerance_us)
    if protocol.frames == "all":
        covered = np.zeros(len(detections.times_us), bool)
        covered[concatenated_ranges(first, stop - first)] = True
        stray_us, stray_frames = np.unique(detections.times_us[~covered], return_inverse=True)
    else:
        covered = np.ones(len(detections.times_us), bool)
        stray_us = stray_frames = np.empty(0, np.int64)
    if protocol.moments == "nearest":
        first, stop = _nearest_moment(detections.times_us, times_us, first, stop)
    rows = concatenated_ranges(first, stop - first)
    frames = np.repeat(np.arange(len(times_us)), stop - first)
    return Frames(
        recordings=np.zeros(len(times_us) + len(stray_us), np.int64),
        labels=_in_frames(
            labels, np.arange(len(labels.times_us)), np.searchsorted(times_us, labels.times_us)
        ),
        detections=_in_frames(
            detections,
            np.concatenate([rows, np.flatnonzero(~covered)]),
            np.concatenate([frames, len(times_us) + stray_frames]),
        ),
        times_us=np.concatenate([times_us, stray_us]),
    )


def count_repeats(labels: TimedBoxes, detections: TimedBoxes, protocol: Protocol) -> float:
    """Frames that a detection counts in, mean over the detections that count in any; else 0.

    It is more than 1 where `protocol.moments` is `all` and labels are no farther apart than the
    tolerance: an object is then compared with several detections, and all but one are false.
    """
    if protocol.moments == "nearest":
        return 1.0 if len(detections.times_us) else 0.0
    first, stop = _within(np.unique(labels.times_us), detections.times_us, protocol.tolerance_us)
    counts = (stop - first)[stop > first]
    return float(np.mean(counts)) if len(counts) else 0.0


def join_frames(parts: Sequence[Frames]) -> Frames:
    """Frames of several recordings, numbered one after the other."""
    first_frame = np.cumsum([0, *(len(part) for part in parts)])
    return Frames(
        recordings=np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
        labels=_join([part.labels for part in parts], first_frame),
        detections=_join([part.detections for part in parts], first_frame),
        times_us=np.concatenate([part.times_us for part in parts]),
    )


def _join(parts: Sequence[FrameBoxes], first_frame: Int64[np.ndarray, " P"]) -> FrameBoxes:
    masks = [part.masks for part in parts if part.masks is not None]
    rows = [part.rows for part in parts if part.rows is not None]
    return FrameBoxes(
        np.concatenate(
            [part.frames + first for part, first in zip(parts, first_frame, strict=False)]
        ),
        np.concatenate([part.boxes_xywh for part in parts]),
        np.concatenate([part.class_ids for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate(masks) if len(masks) == len(parts) else None,
        np.concatenate(rows) if len(rows) == len(parts) else None,
    )


def _within(
    detected_us: Int64[np.ndarray, " D"], times_us: Int64[np.ndarray, " F"], tolerance_us: int
) -> tuple[Int64[np.ndarray, " F"], Int64[np.ndarray, " F"]]:
    first = np.searchsorted(detected_us, times_us - tolerance_us, side="left")
    return first, np.searchsorted(detected_us, times_us + tolerance_us, side="right")


def _nearest_moment(
    detected_us: Int64[np.ndarray, " D"],
    times_us: Int64[np.ndarray, " F"],
    first: Int64[np.ndarray, " F"],
    stop: Int64[np.ndarray, " F"],
) -> tuple[Int64[np.ndarray, " F"], Int64[np.ndarray, " F"]]:
    """The part of each range `first:stop` that is nearest in time."""
    if not len(detected_us):
        return first, stop
    after = np.searchsorted(detected_us, times_us, side="left")
    before_us = detected_us[np.maximum(after - 1, 0)]
    after_us = detected_us[np.minimum(after, len(detected_us) - 1)]
    # Of two equally near moments the earlier: a detector cannot look ahead.
    take_before = (after > first) & (
        (after == stop) | (times_us - before_us <= after_us - times_us)
    )
    moments_us = np.where(take_before, before_us, after_us)
    nearest_first = np.searchsorted(detected_us, moments_us, side="left")
    nearest_stop = np.searchsorted(detected_us, moments_us, side="right")
    return np.clip(nearest_first, first, stop), np.clip(nearest_stop, first, stop)


def concatenated_ranges(
    first: Int64[np.ndarray, " N"], counts: Int64[np.ndarray, " N"]
) -> Int64[np.ndarray, " M"]:
    """`first[0], first[0] + 1, …` of the given counts, one range after the other."""
    ends = np.cumsum(counts)
    ranges: Int64[np.ndarray, " M"] = np.arange(counts.sum()) - np.repeat(
        ends - counts - first, counts
    )
    return ranges


def _in_frames(
    boxes: TimedBoxes, rows: Int64[np.ndarray, " N"], frames: Int64[np.ndarray, " N"]
) -> FrameBoxes:
    return FrameBoxes(
        frames,
        boxes.boxes_xywh[rows],
        boxes.class_ids[rows],
        boxes.scores[rows],
        None if boxes.masks is None else boxes.masks[rows],
        None if boxes.rows is None else boxes.rows[rows],
    )

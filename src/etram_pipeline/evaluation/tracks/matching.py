"""Which boxes of tracks are matched to which labels, moment by moment."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.optimize import linear_sum_assignment

from etram_pipeline.evaluation.tracks.boxes import TrackBoxes
from etram_pipeline.evaluation.tracks.matching_kernels import (
    follow_labels,
    match_moments,
    remember_matches,
)
from etram_pipeline.evaluation.tracks.overlap_kernels import count_overlapping, find_overlapping

EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Numbered:
    """Tracks numbered from 0, by the boxes of each.

    Attributes:
        numbers: Number of the track of each box.
        counts: Boxes of each track.
    """

    numbers: Int64[np.ndarray, " N"]
    counts: Int64[np.ndarray, " T"]

    @classmethod
    def of(cls, track_ids: Int64[np.ndarray, " N"]) -> "Numbered":
        """The tracks in the order of their ids."""
        _, numbers, counts = np.unique(track_ids, return_inverse=True, return_counts=True)
        return cls(numbers.astype(np.int64), counts.astype(np.int64))

    def __len__(self) -> int:
        return len(self.counts)


@dataclass(frozen=True)
class Pairs:
    """Overlapping pairs of labels and track boxes, moment by moment.

    Attributes:
        box_starts: First label and first track box of each moment, then their numbers.
        starts: First pair of each moment, then the number of pairs.
        labels: Label of each pair.
        tracks: Track box of each pair.
        overlaps: Intersection over union.
        shares: Overlap as a share of all overlaps of both boxes.
    """

    box_starts: tuple[Int64[np.ndarray, " M1"], Int64[np.ndarray, " M1"]]
    starts: Int64[np.ndarray, " M1"]
    labels: Int64[np.ndarray, " P"]
    tracks: Int64[np.ndarray, " P"]
    overlaps: Float64[np.ndarray, " P"]
    shares: Float64[np.ndarray, " P"]

    @classmethod
    def of(
        cls,
        labels: TrackBoxes,
        tracks: TrackBoxes,
        box_starts: tuple[Int64[np.ndarray, " M1"], Int64[np.ndarray, " M1"]],
    ) -> "Pairs":
        """The pairs of boxes in order of the moments."""
        arguments = (
            np.ascontiguousarray(labels.boxes_xywh),
            np.ascontiguousarray(tracks.boxes_xywh),
            *box_starts,
        )
        starts = count_overlapping(*arguments)
        return cls(box_starts, starts, *find_overlapping(*arguments, starts))

    def near(self, least_overlap: float) -> Float64[np.ndarray, " P"]:
        """The overlap of each pair, 0 if it is too small."""
        return np.where(self.overlaps >= least_overlap - EPSILON, self.overlaps, 0.0)

    def matched(self, scores: Float64[np.ndarray, " P"]) -> Bool[np.ndarray, " P"]:
        """Pairs of the one-to-one matching with the largest sum of scores, at each moment.

        Args:
            scores: Not negative; pairs of score 0 are not matched.
        """
        is_matched = np.zeros(len(scores), bool)
        is_doubtful = np.zeros(len(self.starts) - 1, bool)
        match_moments(self.starts, (self.labels, self.tracks), scores, is_matched, is_doubtful)
        for moment in np.flatnonzero(is_doubtful).tolist():
            self.assign(moment, scores, is_matched)
        return is_matched

    def assign(
        self, moment: int, scores: Float64[np.ndarray, " P"], is_matched: Bool[np.ndarray, " P"]
    ) -> None:
        """Match the pairs of one moment by the Hungarian algorithm, and fill `is_matched`."""
        pairs = slice(self.starts[moment], self.starts[moment + 1])
        (first_label, stop_label), (first_track, stop_track) = (
            starts[moment : moment + 2] for starts in self.box_starts
        )
        # All boxes of the moment, because their positions decide between equal sums.
        matrix = np.zeros((stop_label - first_label, stop_track - first_track))
        labels, tracks = self.labels[pairs] - first_label, self.tracks[pairs] - first_track
        matrix[labels, tracks] = scores[pairs]
        partner = np.full(len(matrix), -1)
        rows, columns = linear_sum_assignment(-matrix)
        partner[rows] = columns
        is_matched[pairs] = (partner[labels] == tracks) & (scores[pairs] > EPSILON)


@dataclass(frozen=True)
class Compared:
    """Labels and tracks of one recording at the same moments.

    Attributes:
        moments_us: Time of each moment, ascending.
        labels: Boxes of labelled tracks at these moments.
        tracks: Boxes of tracks at these moments.
    """

    moments_us: Int64[np.ndarray, " M"]
    labels: TrackBoxes
    tracks: TrackBoxes

    def of_class(self, class_id: int) -> "Compared":
        """The boxes of one class."""
        return Compared(
            self.moments_us,
            self.labels.take(self.labels.class_ids == class_id),
            self.tracks.take(self.tracks.class_ids == class_id),
        )

    @cached_property
    def label_tracks(self) -> "Numbered":
        """The labelled track of each label."""
        return Numbered.of(self.labels.track_ids)

    @cached_property
    def tracks_of_boxes(self) -> "Numbered":
        """The track of each box of `tracks`."""
        return Numbered.of(self.tracks.track_ids)

    @cached_property
    def starts(self) -> tuple[Int64[np.ndarray, " M1"], Int64[np.ndarray, " M1"]]:
        """First label and first track box of each moment, then their numbers."""
        ends = np.append(self.moments_us, np.iinfo(np.int64).max)
        return (
            np.searchsorted(self.labels.times_us, ends, side="left"),
            np.searchsorted(self.tracks.times_us, ends, side="left"),
        )

    @cached_property
    def pairs(self) -> "Pairs":
        """All pairs of a label and a track box that overlap."""
        return Pairs.of(self.labels, self.tracks, self.starts)

    @cached_property
    def pair_codes(self) -> Int64[np.ndarray, " P"]:
        """Number of the labelled track times the number of tracks, plus that of the track."""
        labels = self.label_tracks.numbers[self.pairs.labels]
        tracks = self.tracks_of_boxes
        codes: Int64[np.ndarray, " P"] = labels * len(tracks) + tracks.numbers[self.pairs.tracks]
        return codes

    def without_ignored(self, least_overlap: float) -> "Compared":
        """What is left without ignored labels, the track boxes matched to them, and dropped ones.

        All labels take part in the matching, so that an ignored label does not take the track of
        another one that overlaps it better.

        Source: KITTI, as TrackEval 1.3.0 has it in `datasets/kitti_2d_box.py`.
        """
        if not self.labels.is_ignored.any() and not self.tracks.is_ignored.any():
            return self
        is_matched = self.pairs.matched(self.pairs.near(least_overlap))
        labels, tracks = self.pairs.labels[is_matched], self.pairs.tracks[is_matched]
        is_dropped = self.tracks.is_ignored.copy()
        is_dropped[tracks] = self.labels.is_ignored[labels]
        return Compared(
            self.moments_us,
            self.labels.take(~self.labels.is_ignored),
            self.tracks.take(~is_dropped),
        )


@dataclass(frozen=True)
class Followed:
    """Matches that prefer the partner of the moment before.

    Attributes:
        is_matched: Whether each pair is matched.
        switches: Times that a labelled track is matched to another track than before.
        matches: Moments at which each labelled track is matched.
        beginnings: Of these, moments at which it was not matched the moment before.
    """

    is_matched: Bool[np.ndarray, " P"]
    switches: Int64[np.ndarray, " G"]
    matches: Int64[np.ndarray, " G"]
    beginnings: Int64[np.ndarray, " G"]


def follow(compared: Compared, least_overlap: float) -> Followed:
    """Matches of boxes that overlap enough: former partners first, then by overlap.

    A moment without labels or without tracks leaves everything as it was before. The last partner
    of a labelled track is remembered however long ago it was matched.

    Source: TrackEval 1.3.0, `metrics/clear.py`.
    """
    pairs = compared.pairs
    label_tracks, tracks = compared.label_tracks, compared.tracks_of_boxes
    of_pairs = (
        *(pairs.labels, pairs.tracks),
        *(label_tracks.numbers[pairs.labels], tracks.numbers[pairs.tracks]),
    )
    scores = pairs.near(least_overlap)
    is_matched = np.zeros(len(scores), bool)
    is_compared = np.logical_and(*(np.diff(starts) > 0 for starts in compared.starts))
    last, previous, previous_at, *counts = np.zeros((6, len(label_tracks)), np.int64)
    last[:], previous_at[:] = -1, -1
    history = (last, previous, previous_at, np.zeros(1, np.int64), *counts)
    moment, number = 0, len(is_compared)
    while True:
        moment = follow_labels(
            moment, (pairs.starts, is_compared), of_pairs, scores, history, is_matched
        )
        if moment == number:
            return Followed(is_matched, *counts)
        pairs.assign(moment, scores, is_matched)
        now = slice(pairs.starts[moment], pairs.starts[moment + 1])
        remember_matches(of_pairs[2][now], of_pairs[3][now], is_matched[now], history)
        moment += 1

"""What a score of tracks means: every choice that its evaluation makes."""

from typing import ClassVar, Literal

from pydantic import Field, field_validator
from typing_extensions import override

from etram_pipeline.evaluation.metrics import Value
from etram_pipeline.evaluation.protocol import BoxProtocol
from etram_pipeline.evaluation.tracks.values import HEADLINE, VALUES

# As `numpy.arange(0.05, 0.99, 0.05)`, for the last bit decides a match on the threshold.
HOTA_THRESHOLDS = tuple(0.05 + step * 0.05 for step in range(19))

State = Literal["seen", "bridged", "rested"]
"""State of a row of a track table, in the order of their numbers."""

STATES: tuple[State, ...] = ("seen", "bridged", "rested")


class TrackProtocol(BoxProtocol):
    """How tracks are compared with labels.

    Labels that are too small, too slow, of too short a track or in an ignored zone are *ignored*,
    as in KITTI: such a label takes the track box that is matched to it out of the comparison with
    itself, and track boxes that are matched to no label are dropped if they are too small, of too
    short a track or in an ignored zone themselves. A filter on both sides would turn a label of
    9.9 px with a track of 10.1 px into a false box.

    Attributes:
        name: Prefix of every metric's name.
        description: What the protocol is for, in one sentence.
        class_names: Classes that count, in the order of the report; null: all of the tables'.
        class_groups: Super-classes that count instead, each with the classes it gathers; tables
            whose classes are the super-classes already are taken as they are.
        classes_by: `name` finds a class by its name among the tables' classes; `id` lets the n-th
            name stand for class id n, whatever the tables call it, and ignores all higher ids.
        class_aware: Each class is compared for itself, and the overall values are means over the
            classes that have labels; otherwise all classes are compared as one.
        pixel_scale: Px of the grid, in which sizes are measured, per px of the sensor.
        min_side_px: Labels of a smaller width or height are ignored.
        min_diagonal_px: Labels of a smaller diagonal are ignored.
        start_us: Boxes at this time or before do not count; -1: all count.
        track_class: Class of a row of a track: `whole` that of the whole track, `moment` that of
            the last detection.
        moments: When boxes are compared. `labelled`: at times with a label of any class. `grid`:
            also at those that the interval of the labels leaves empty between the first label and
            the last, which presumes that nothing was there to be labelled.
        interpolate_us: 0: only boxes at exactly these times. Otherwise also boxes on the straight
            line between two boxes of a track that are at most so far apart in time. Labels are
            never interpolated.
        states: Rows of tracks that count: detected ones (`seen`), those that fill a gap between
            two detections (`bridged`), and those of a road user that stands still (`rested`).
        least_speed: Labels of a lower speed over the last second are ignored; in box sizes (square
            root of the area) per second.
        min_track_us: Labels of tracks that last less, from the first box to the last, are ignored.
        ignore_zones: Whether labels whose ground point, the middle of the lower edge, is in an
            `ignore` zone of the site are ignored.
        match_iou: Least overlap of a match for MOTA, MOTP, IDF1 and the counts.
        iou_thresholds: Overlaps that HOTA, DetA, AssA and LocA are averaged over.
    """

    for_any_classes: ClassVar[str] = "etram_tracks_any"

    track_class: Literal["whole", "moment"] = "whole"
    moments: Literal["labelled", "grid"] = "labelled"
    interpolate_us: int = Field(default=0, ge=0)
    states: tuple[State, ...] = Field(default=STATES, min_length=1)
    least_speed: float = Field(default=0, ge=0, allow_inf_nan=False)
    min_track_us: int = Field(default=0, ge=0)
    ignore_zones: bool = True
    match_iou: float = Field(default=0.5, gt=0, le=1)
    iou_thresholds: tuple[float, ...] = Field(default=HOTA_THRESHOLDS, min_length=1)

    @property
    @override
    def values(self) -> tuple[Value, ...]:
        return VALUES

    @property
    def headline(self) -> tuple[Value, ...]:
        """The values that matter most, in order."""
        return tuple(value for value in VALUES if value.name in HEADLINE)

    @field_validator("states")
    @classmethod
    def _check_states(cls, states: tuple[State, ...]) -> tuple[State, ...]:
        """The states in the order of their numbers, so that equal choices are equal."""
        return tuple(state for state in STATES if state in states)

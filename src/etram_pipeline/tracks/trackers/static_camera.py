"""Tracker for an event camera that does not move: road users that stop vanish, and come back."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field, model_validator
from typing_extensions import override

from etram_pipeline.core.etram import SUPER_CLASSES
from etram_pipeline.tracks.state import Records
from etram_pipeline.tracks.trackers import Tracker, TrackerConfig

_IN_US = ("tentative", "coast", "rest", "rest_after")


class Config(TrackerConfig):
    """Two-stage association by overlap, on real time differences, with road users that rest.

    Distances, speeds and noises are in sizes of the box (the square root of its area), so that
    near and far road users are treated alike.

    The scores to choose depend on the detector. The defaults suit that of the default run, on its
    validation recordings; those of motion and rest were chosen on simulated junctions as well.

    Attributes:
        low_score: Least score of the detections that are used.
        high_score: Least score of the detections that are matched first, with all tracks that
            move; the others are matched with confirmed tracks that are left.
        start_score: Least score of a detection that starts a track.
        same_object_iou: IoU from which two detections of a window are one object, whatever their
            classes.
        min_iou: Least IoU of a match, of boxes that are widened by `margin`.
        min_iou_low: The same for detections below `high_score`.
        margin: Share of its size by which a box is widened on every side for a match.
        confirm_hits: Detections that confirm a track.
        tentative_s: Time without a detection after which a track that is not confirmed ends, in
            seconds.
        coast_s: The same for a confirmed track that moves.
        rest_s: The same for a track that rests; 0 lets no track rest.
        rest_after_s: Time without a detection after which it is decided whether a track rests.
        rest_speed: A track rests only if it was slower than this when last seen, in sizes per
            second,
        brake_ratio: and slower than this share of its usual speed.
        set_off_speed: A new track continues a resting one only if it began slower than this, in
            sizes per second,
        rest_iou: with at least this IoU of its first box and that of the resting track,
        rest_area_ratio: and if the areas of the two differ by less than this factor.
        groups: Groups of classes. A resting track is only continued by one of the same group. A
            class that is in no group counts as a vehicle; the name of a group is also a class.
        rest_groups: Groups whose members rest. Pedestrians do not: many vanish while they walk.
        acceleration: Standard deviation of the acceleration, in sizes per second squared.
        noise: Standard deviation of the place of a detection, in sizes.
        size_gain: Share of the difference by which the size of a track follows its detections.
        border_px: Distance beyond the border of the sensor at which a track ends, in px.
    """

    kind: Literal["static_camera"] = "static_camera"
    low_score: float = Field(default=0.3, ge=0, le=1)
    high_score: float = Field(default=0.4, ge=0, le=1)
    start_score: float = Field(default=0.4, ge=0, le=1)
    same_object_iou: float = Field(default=0.7, gt=0, le=1)
    min_iou: float = Field(default=0.15, gt=0, le=1)
    min_iou_low: float = Field(default=0.35, gt=0, le=1)
    margin: float = Field(default=0.1, ge=0, le=5)
    confirm_hits: int = Field(default=3, ge=1, le=1000)
    tentative_s: float = Field(default=0.15, ge=0, le=3600)
    coast_s: float = Field(default=0.7, ge=0, le=3600)
    rest_s: float = Field(default=90.0, ge=0, le=86_400)
    rest_after_s: float = Field(default=0.2, ge=0, le=3600)
    rest_speed: float = Field(default=0.8, ge=0)
    brake_ratio: float = Field(default=0.75, ge=0)
    set_off_speed: float = Field(default=2.0, ge=0)
    rest_iou: float = Field(default=0.15, gt=0, le=1)
    rest_area_ratio: float = Field(default=3.0, gt=1)
    groups: dict[str, tuple[str, ...]] = SUPER_CLASSES
    rest_groups: tuple[str, ...] = ("vehicle", "micro_mobility")
    acceleration: float = Field(default=3.0, gt=0)
    noise: float = Field(default=0.16, gt=0)
    size_gain: float = Field(default=0.3, gt=0, le=1)
    border_px: float = Field(default=4.0, ge=0)

    @model_validator(mode="after")
    def _check_scores(self) -> "Config":
        if self.low_score > self.high_score:
            raise ValueError(
                f"low_score {self.low_score} is above high_score {self.high_score}; "
                "no detection would be matched second"
            )
        return self

    @override
    def build(self, width: int, height: int, class_names: Sequence[str]) -> Tracker:
        from etram_pipeline.tracks.static_camera import StaticCameraTracker

        return StaticCameraTracker(
            self._record(width, height), self._classes(class_names), class_names
        )

    def group(self, class_name: str) -> str:
        """Group of a class."""
        groups = (
            group
            for group, members in self.groups.items()
            if class_name == group or class_name in members
        )
        return next(groups, "vehicle")

    def _record(self, width: int, height: int) -> Records:
        """Settings as the compiled loops read them, with times in microseconds."""
        values = self.model_dump(exclude={"kind", "groups", "rest_groups"})
        whole = {f"{name}_us": round(values.pop(f"{name}_s") * 1e6) for name in _IN_US}
        whole |= {"confirm_hits": values.pop("confirm_hits"), "width": width, "height": height}
        types = [(name, "<f8") for name in values] + [(name, "<i8") for name in whole]
        return np.array([(*values.values(), *whole.values())], types)

    def _classes(self, class_names: Sequence[str]) -> Records:
        """Group of each class by number, and whether its members rest."""
        groups = [self.group(name) for name in class_names]
        numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
        rows = [(numbers[group], group in self.rest_groups) for group in groups]
        return np.array(rows, [("group", "<i8"), ("rests", "?")])

"""What a number means: every choice that an evaluation makes."""

import math
from abc import abstractmethod
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import Field, SerializeAsAny, field_validator, model_validator
from typing_extensions import override

from etram_pipeline.core.component import Settings
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.evaluation.metrics import MetricConfig, Place, Value

# Computed as `numpy.linspace` does, for the last bit of 0.9 decides a match on the threshold.
COCO_IOU_THRESHOLDS = (*(0.5 + step * ((0.95 - 0.5) / 9) for step in range(9)), 0.95)
COCO_AREA_RANGES = {"S": (0.0, 32.0**2), "M": (32.0**2, 96.0**2), "L": (96.0**2, 1e5**2)}
CONFUSION_IOU = 0.5
"""Overlap at which confusions are read, and curves where the protocol has it."""

Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]

_P = TypeVar("_P", bound="BoxProtocol")


class BoxProtocol(Settings):
    """What protocols of detections and of tracks share: which boxes and classes count.

    Attributes:
        name: Prefix of every metric's name.
        description: What the protocol is for, in one sentence.
        class_names: Classes that count, in the order of the report; null: all of the tables'.
        class_groups: Super-classes that count instead, each with the classes it gathers; tables
            whose classes are the super-classes already are taken as they are.
        classes_by: `name` finds a class by its name among the tables' classes; `id` lets the n-th
            name stand for class id n, whatever the tables call it, and ignores all higher ids.
        class_aware: Only boxes of the same class are compared; otherwise the overall metrics take
            all classes for one.
        pixel_scale: Px of the grid, in which sizes are measured, per px of the sensor.
        min_side_px: Least width and height of a box that counts.
        min_diagonal_px: Least diagonal of a box that counts.
        start_us: Boxes at this time or before do not count; -1: all count.
    """

    for_any_classes: ClassVar[str]
    """Name of a protocol that fits tables of any classes."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    description: str = ""
    class_names: tuple[str, ...] | None = Field(default=None, min_length=1)
    class_groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    classes_by: Literal["name", "id"] = "name"
    class_aware: bool = True
    pixel_scale: float = Field(default=1, gt=0, allow_inf_nan=False)
    min_side_px: float = Field(default=0, ge=0)
    min_diagonal_px: float = Field(default=0, ge=0)
    start_us: int = Field(default=-1, ge=-1)

    @property
    @abstractmethod
    def values(self) -> tuple[Value, ...]:
        """Every value that is reported, in the order of the metrics file."""

    @property
    def scored_classes(self) -> tuple[str, ...] | None:
        """Names of the classes that count; None: those of the tables."""
        return tuple(self.class_groups) or self.class_names

    def same_as(self, other: "BoxProtocol") -> bool:
        """Whether both make the same choices, whatever they are called."""
        labels = {"name", "description"}
        return type(self) is type(other) and (
            self.model_dump(exclude=labels) == other.model_dump(exclude=labels)
        )

    @field_validator("class_names")
    @classmethod
    def _check_names(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names is not None and len(names) != len(set(names)):
            raise ValueError(f"class_names {names} name a class twice")
        return names

    @field_validator("iou_thresholds", check_fields=False)
    @classmethod
    def _check_thresholds(cls, thresholds: tuple[float, ...]) -> tuple[float, ...]:
        if (
            list(thresholds) != sorted(set(thresholds))
            or not 0 < thresholds[0] <= thresholds[-1] <= 1
        ):
            raise ValueError(f"iou_thresholds {thresholds} do not ascend within 0 and 1")
        return thresholds

    @model_validator(mode="after")
    def _check_classes(self: _P) -> _P:
        if self.class_groups and self.class_names is not None:
            raise ValueError("class_names and class_groups exclude each other; empty one of them")
        if self.classes_by == "id" and self.class_names is None:
            raise ValueError("classes_by: id needs class_names, the n-th for class id n")
        members = [name for group in self.class_groups.values() for name in group]
        if len(members) != len(set(members)):
            raise ValueError("class_groups put a class into two groups")
        return self


class Protocol(BoxProtocol):
    """How detections are compared with labels.

    Boxes of tables are in px of the sensor. All px here are px of the grid, `pixel_scale` of which
    make one px of the sensor.

    Attributes:
        name: Prefix of every metric's name.
        description: What the protocol is for, in one sentence.
        class_names: Classes that count, in the order of the report; null: all of the tables'.
        class_groups: Super-classes that count instead, each with the classes it gathers; tables
            whose classes are the super-classes already are taken as they are.
        classes_by: `name` finds a class by its name among the tables' classes; `id` lets the n-th
            name stand for class id n, whatever the tables call it, and ignores all higher ids.
        class_aware: A detection matches labels of its own class only; otherwise the overall
            metrics take all classes for one.
        pixel_scale: Px of the grid per px of the sensor.
        min_side_px: Least width and height of a box that counts, label or detection.
        min_diagonal_px: Least diagonal of a box that counts, label or detection.
        start_us: Boxes at this time or before do not count; -1: all count.
        tolerance_us: Largest difference in time between a label and a detection, included.
        moments: `all` compares a frame with every detection within the tolerance, so that a
            dense stream of detections counts the same object several times; `nearest` with those
            of the nearest moment at which anything was detected, the earlier of two.
        frames: Which detections of a recording are compared, and when. `labelled`: those at exactly
            the time of a label, as in the references, which run the detector at labelled frames
            only. `near`: all within the tolerance of a label. `all`: those of `near`, and the
            detections at all other times as false ones, which presumes that every moment was
            annotated.
        latency_ms: Milliseconds of computation per window. Labels are then compared with what a
            viewer had at their time: the boxes of the newest window that was computed by then, by
            a single processor that takes the newest window whenever it is free. A list holds
            measured times, which the windows take in turn. Null: boxes are known at once.
        ranking: Score that orders detections: `class` the class probability, `joint` its product
            with the objectness.
        ties: What becomes of detections with equal scores. `together` counts all of one class as
            one step of the curve of precision and recall, because no threshold tells them apart;
            within a frame, the box farther left (then higher, narrower, lower) chooses its label
            first. `rows` takes them in the order of recordings, frames and rows, as the references
            do, so that AP depends on this order.
        iou_thresholds: Overlaps AP is averaged over; `AP_50` and `AP_75` are reported if 0.5 and
            0.75 are among them.
        area_ranges: Least and largest area by size name, both included, in px².
        max_detections: Detections per frame and class that count; AP takes the last.
        confusion_score: Least ranking score of a detection in the confusion matrix.
        metrics: What is measured. The first value of the first metric selects the best checkpoint
            of a training that is validated by this protocol.
    """

    for_any_classes: ClassVar[str] = "coco"

    tolerance_us: int = Field(default=25_000, ge=0)
    moments: Literal["all", "nearest"] = "nearest"
    frames: Literal["labelled", "near", "all"] = "labelled"
    latency_ms: Milliseconds | tuple[Milliseconds, ...] | None = Field(
        default=None, exclude_if=lambda value: value is None
    )
    ranking: Literal["class", "joint"] = "joint"
    ties: Literal["together", "rows"] = Field(
        default="rows", exclude_if=lambda value: value == "rows"
    )
    iou_thresholds: tuple[float, ...] = Field(default=COCO_IOU_THRESHOLDS, min_length=1)
    area_ranges: dict[str, tuple[float, float]] = Field(
        default_factory=lambda: dict(COCO_AREA_RANGES)
    )
    max_detections: tuple[int, ...] = Field(default=(1, 10, 100), min_length=1)
    confusion_score: float = Field(default=0.3, ge=0, le=1)
    metrics: tuple[SerializeAsAny[MetricConfig], ...] = Field(
        default_factory=lambda: (MetricConfig.model_validate({"kind": "average_precision"}),),
        min_length=1,
    )

    @property
    def score_column(self) -> str:
        """Column of a detection table that ranks its rows."""
        return {"class": "class_confidence", "joint": "score"}[self.ranking]

    @property
    def latencies_us(self) -> tuple[int, ...]:
        """Computing time of one window after the other, repeated at the end; empty without any."""
        if self.latency_ms is None:
            return ()
        all_ms = self.latency_ms if isinstance(self.latency_ms, tuple) else (self.latency_ms,)
        return tuple(round(each * 1000) for each in all_ms)

    @property
    def curve_iou(self) -> float:
        """Overlap at which precision-recall curves are read: 0.5, or else the least there is."""
        index = self.index_of(CONFUSION_IOU)
        return self.iou_thresholds[0 if index is None else index]

    def index_of(self, iou: float) -> int | None:
        """Position of an overlap among `iou_thresholds`, which may be off in the last digits."""
        near = (math.isclose(iou, threshold) for threshold in self.iou_thresholds)
        return next((index for index, is_near in enumerate(near) if is_near), None)

    @property
    def needs_masks(self) -> bool:
        """Whether labels and detections must have masks."""
        return any(metric.needs_masks for metric in self.metrics)

    @property
    @override
    def values(self) -> tuple[Value, ...]:
        """Every value that the metrics report, in the order of the metrics file."""
        return tuple(value for metric in self.metrics for value in metric.declare(self))

    def shown(self, place: Place) -> tuple[Value, ...]:
        """The values that a place shows, in order."""
        values = {value.name: value for value in self.values}
        names = [name for metric in self.metrics for name in metric.shown(place, self)]
        return tuple(values[name] for name in names if name in values)

    @property
    def monitored(self) -> Value:
        """The value that tells the better of two detectors."""
        return self.shown("headline")[0]

    def choices(self, class_names: tuple[str, ...]) -> str:
        """Fingerprint of what decides which detections are right, for the classes that count.

        Args:
            class_names: Names of the classes that count, as `scored_classes` finds them.
        """
        others = {
            *("name", "description", "class_names", "area_ranges", "ties"),
            *("confusion_score", "metrics"),
        }
        return fingerprint([self.model_dump(mode="json", exclude=others), class_names])

    @field_validator("max_detections")
    @classmethod
    def _check_limits(cls, limits: tuple[int, ...]) -> tuple[int, ...]:
        if list(limits) != sorted(set(limits)) or limits[0] < 1:
            raise ValueError(f"max_detections {limits} do not ascend from at least 1")
        return limits

    @field_validator("area_ranges")
    @classmethod
    def _check_areas(cls, ranges: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        reversed_ranges = [name for name, (low, high) in ranges.items() if not 0 <= low < high]
        if reversed_ranges:
            raise ValueError(f"area_ranges {reversed_ranges} do not ascend from at least 0")
        numbers = [name for name in ranges if name.isdecimal()]
        if numbers:
            raise ValueError(
                f"area_ranges {numbers} are numbers, as in AP_50 and AR_10: call them otherwise"
            )
        return ranges

    @model_validator(mode="after")
    def _check_latency(self) -> "Protocol":
        if self.latency_ms == ():
            raise ValueError("latency_ms is an empty list: give the milliseconds of a window")
        if self.latency_ms is not None and self.frames == "all":
            raise ValueError(
                "latency_ms compares at labelled moments only: set frames to labelled, not all"
            )
        return self

    @model_validator(mode="after")
    def _check_values(self) -> "Protocol":
        names = [value.name for value in self.values]
        doubles = sorted({name for name in names if names.count(name) > 1})
        if doubles:
            raise ValueError(f"two metrics report {', '.join(doubles)}: remove one of them")
        return self

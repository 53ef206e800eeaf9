"""Parameters of ground truth: filters of boxes, and the choice of labelled frames."""

from typing import Literal

from pydantic import Field, model_validator

from etram_pipeline.core.component import Settings
from etram_pipeline.labels.filters import FilterConfig


class LabelSettings(Settings):
    """Turns the boxes of a label file into labelled frames.

    Attributes:
        filters: Filters of boxes, applied in this order.
        frames: Which labelled moments are frames. `spaced`: those at least `frame_interval_ms`
            after the previous frame, whatever their times are. `grid`: those at multiples of an
            interval after the first, as in the reference; other moments are left out.
        frame_interval_ms: Wanted distance of labelled frames, in milliseconds. None: every labelled
            moment is a frame. With `grid`, the actual distance is the nearest multiple of the
            labels' own distance, or with None that distance itself.
        empty_frames: Which moments are known to show no object and are labelled frames without a
            box. `none`: no moment is, and one whose boxes the filters all drop is no frame either,
            as in the reference. `grid`: all that the median distance of labels leaves empty
            between the first labelled moment and the last. `listed`: those in the file
            `<recording>_annotated.npy` beside the label file. With `grid` and `listed`, moments
            whose boxes the filters all drop are such frames as well.
        first_frame_ms: Labels before this time are left out, in milliseconds.
        tolerance_us: Largest deviation of a label time from the grid of labelled frames, in
            microseconds; a frame may also follow earlier than `frame_interval_ms` by this time.
        label_interval_ms: Distance of labels in the files, in milliseconds, for `grid`; None: the
            median of each file.
    """

    filters: tuple[FilterConfig, ...] = ()
    frames: Literal["grid", "spaced"] = Field(
        default="grid", exclude_if=lambda value: value == "grid"
    )
    empty_frames: Literal["none", "grid", "listed"] = Field(
        default="none", exclude_if=lambda value: value == "none"
    )
    frame_interval_ms: int | None = Field(default=100, ge=1)
    first_frame_ms: int = Field(default=100, ge=0)
    tolerance_us: int = Field(default=2000, ge=0)
    label_interval_ms: int | None = Field(
        default=None, ge=1, exclude_if=lambda value: value is None
    )

    @model_validator(mode="after")
    def _check_order(self) -> "LabelSettings":
        kinds = [config.kind for config in self.filters]
        if "group_classes" in kinds and "select_classes" in kinds[kinds.index("group_classes") :]:
            raise ValueError(
                "select_classes names classes that group_classes has already renumbered: "
                "put select_classes before group_classes"
            )
        return self

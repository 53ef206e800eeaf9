"""Crop boxes at the border of the sensor."""

from dataclasses import dataclass
from typing import Literal

from typing_extensions import override

from etram_pipeline.labels.filters import Filter, FilterConfig, FilterContext
from etram_pipeline.labels.table import LabelTable, box_column


class Config(FilterConfig):
    """Crops boxes at the outermost pixels, `width - 1` and `height - 1`; drops those without area.

    Source: RVT, `scripts/genx/preprocess_dataset.py`, `crop_to_fov_filter`.
    """

    kind: Literal["crop_to_sensor"] = "crop_to_sensor"

    @override
    def build(self, context: FilterContext) -> Filter:
        return CropToSensor(context.height, context.width)


@dataclass(frozen=True)
class CropToSensor:
    """Crops boxes at the border of a sensor of `height` x `width` px."""

    height: int
    width: int

    def __call__(self, labels: LabelTable) -> LabelTable:
        """Crop boxes; drop those without any area inside."""
        x, y = box_column(labels, "x"), box_column(labels, "y")
        left, right = (side.clip(0, self.width - 1) for side in (x, x + box_column(labels, "w")))
        top, bottom = (side.clip(0, self.height - 1) for side in (y, y + box_column(labels, "h")))
        cut = labels.copy()
        cut["x"], cut["y"], cut["w"], cut["h"] = left, top, right - left, bottom - top
        return cut[(right > left) & (bottom > top)]

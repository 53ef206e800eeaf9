"""Drop boxes that span nearly the whole sensor."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from pydantic import Field
from typing_extensions import override

from etram_pipeline.labels.filters import Filter, FilterConfig, FilterContext
from etram_pipeline.labels.table import LabelTable, box_column


class Config(FilterConfig):
    """Drops boxes wider than a share of the sensor, which are errors of the annotation.

    Attributes:
        fraction: Largest width, as a share of the sensor's; rounded down to whole px.
        splits: Splits to which the filter is applied; all boxes of other splits pass.

    Source: RVT, `scripts/genx/preprocess_dataset.py`, `remove_faulty_huge_bbox_filter`, which is
    applied to the training split only.
    """

    kind: Literal["maximum_width"] = "maximum_width"
    fraction: float = Field(default=0.9, gt=0)
    splits: tuple[str, ...] = ("train",)

    @override
    def build(self, context: FilterContext) -> Filter:
        if context.split not in self.splits:
            return MaximumWidth(math.inf)
        # Computed with the decimal as written, not its binary approximation: 9 * 1280 // 10 = 1152.
        return MaximumWidth(float(Fraction(str(self.fraction)) * context.width // 1))


@dataclass(frozen=True)
class MaximumWidth:
    """Keeps boxes at most `width_px` wide."""

    width_px: float

    def __call__(self, labels: LabelTable) -> LabelTable:
        """Drop wide boxes."""
        return labels[box_column(labels, "w") <= self.width_px]

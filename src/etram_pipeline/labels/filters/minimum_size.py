"""Drop boxes too small to be distinguished from noise."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from typing_extensions import override

from etram_pipeline.labels.filters import Filter, FilterConfig, FilterContext
from etram_pipeline.labels.table import LabelTable, box_column


class Config(FilterConfig):
    """Keeps boxes with a minimum side and diagonal.

    Prophesee's filter uses a side of 20 px and a diagonal of 60 px for its 1280 x 720 sensor, and
    10 and 30 px for the 304 x 240 sensor. RVT's conservative filter uses a side of 5 px only.

    Attributes:
        side_px: Smallest width and height, in px.
        diagonal_px: Smallest diagonal, in px.

    Source: RVT, `scripts/genx/preprocess_dataset.py`, `prophesee_bbox_filter` and
    `conservative_bbox_filter`.
    """

    kind: Literal["minimum_size"] = "minimum_size"
    side_px: float = Field(default=5.0, ge=0)
    diagonal_px: float = Field(default=0.0, ge=0)

    @override
    def build(self, context: FilterContext) -> Filter:
        return MinimumSize(self.side_px, self.diagonal_px)


@dataclass(frozen=True)
class MinimumSize:
    """Keeps boxes with sides of at least `side_px` and a diagonal of at least `diagonal_px`."""

    side_px: float
    diagonal_px: float

    def __call__(self, labels: LabelTable) -> LabelTable:
        """Drop small boxes."""
        w, h = box_column(labels, "w"), box_column(labels, "h")
        is_kept: npt.NDArray[np.bool_] = (
            (w >= self.side_px) & (h >= self.side_px) & (w * w + h * h >= self.diagonal_px**2)
        )
        return labels[is_kept]

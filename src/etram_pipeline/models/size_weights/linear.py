"""The factor falls in a straight line with the area."""

from typing import Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from etram_pipeline.models.size_weights import MEDIUM_AREA, FixedConfig, SizeAwareConfig


class Config(SizeAwareConfig, FixedConfig):
    """Weighs an object by `1 + maximum * (1 - area / medium_area)`, within 1 and `maximum`.

    Source of the formula: JeongbinOK/eTram-rvt, size_aware_losses.py.

    Attributes:
        medium_area: Area in px from which on objects weigh 1.
    """

    kind: Literal["linear"] = "linear"
    medium_area: float = Field(default=MEDIUM_AREA, gt=0)

    @override
    def weigh(self, areas: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
        return (1 + self.maximum * (1 - areas / self.medium_area)).clamp(1, self.maximum)

"""The factor falls exponentially with the area."""

from typing import Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from etram_pipeline.models.size_weights import SMALL_AREA, FixedConfig, SizeAwareConfig


class Config(SizeAwareConfig, FixedConfig):
    """Weighs an object by `maximum * exp(-area / small_area)`, but at least by 1.

    Source of the formula: JeongbinOK/eTram-rvt, size_aware_losses.py.

    Attributes:
        small_area: Area in px over which the factor falls to 37 %.
    """

    kind: Literal["exponential"] = "exponential"
    small_area: float = Field(default=SMALL_AREA, gt=0)

    @override
    def weigh(self, areas: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
        return (self.maximum * (-areas / self.small_area).exp()).clamp(1, self.maximum)

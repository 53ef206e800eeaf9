"""The factor falls exponentially with the area."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field
from typing_extensions import override

from etram_pipeline.models.size_weights import SMALL_AREA, SizeAwareConfig

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


class Config(SizeAwareConfig):
    """Weighs an object by `maximum * exp(-area / small_area)`, but at least by 1.

    Source of the formula: JeongbinOK/eTram-rvt, size_aware_losses.py.

    Attributes:
        small_area: Area in px over which the factor falls to 37 %.
    """

    kind: Literal["exponential"] = "exponential"
    small_area: float = Field(default=SMALL_AREA, gt=0)

    @override
    def weigh(self, areas: 'Float[Tensor, " N"]') -> 'Float[Tensor, " N"]':
        return (self.maximum * (-areas / self.small_area).exp()).clamp(1, self.maximum)

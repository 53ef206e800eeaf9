"""One factor each for small, medium and large objects."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator
from typing_extensions import override

from etram_pipeline.models.size_weights import MEDIUM_AREA, SMALL_AREA, SizeAwareConfig

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


class Config(SizeAwareConfig):
    """Weighs small objects by `maximum`, medium ones half as much above 1, large ones by 1.

    Source of the rule: JeongbinOK/eTram-rvt, size_aware_losses.py.

    Attributes:
        small_area: Largest area of a small object in px.
        medium_area: Largest area of a medium object in px.
    """

    kind: Literal["step"] = "step"
    small_area: float = Field(default=SMALL_AREA, gt=0)
    medium_area: float = Field(default=MEDIUM_AREA, gt=0)

    @model_validator(mode="after")
    def _check_order(self) -> "Config":
        if self.medium_area < self.small_area:
            raise ValueError(
                f"medium_area {self.medium_area} must not be below small_area {self.small_area}"
            )
        return self

    @override
    def weigh(self, areas: 'Float[Tensor, " N"]') -> 'Float[Tensor, " N"]':
        weights = areas.new_ones(len(areas))
        weights = weights.masked_fill(areas <= self.medium_area, (self.maximum + 1) / 2)
        return weights.masked_fill(areas <= self.small_area, self.maximum)

"""One factor each for small, medium and large objects."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from etram_pipeline.models.size_weights import FixedConfig, SizeClassesConfig


class Config(SizeClassesConfig, FixedConfig):
    """Weighs small objects by `maximum`, medium ones half as much above 1, large ones by 1.

    Source of the rule: JeongbinOK/eTram-rvt, size_aware_losses.py.
    """

    kind: Literal["step"] = "step"

    @override
    def weigh(self, areas: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
        weights = areas.new_ones(len(areas))
        weights = weights.masked_fill(areas <= self.medium_area, (self.maximum + 1) / 2)
        return weights.masked_fill(areas <= self.small_area, self.maximum)

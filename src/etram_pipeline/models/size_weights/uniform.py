"""All objects count alike, as in RVT."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from etram_pipeline.models.size_weights import FixedConfig


class Config(FixedConfig):
    """Weighs all objects by 1."""

    kind: Literal["uniform"] = "uniform"

    @override
    def weigh(self, areas: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
        return areas.new_ones(len(areas))

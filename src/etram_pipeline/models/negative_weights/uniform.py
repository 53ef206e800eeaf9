"""All anchors without an object count alike, as in RVT."""

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor
from typing_extensions import override

from etram_pipeline.models.assignment import PaddedTargets
from etram_pipeline.models.negative_weights import NegativeWeight, NegativeWeightConfig
from etram_pipeline.models.predictions import Predictions


class Uniform(NegativeWeight):
    """Weighs nothing."""

    @override
    def forward(
        self,
        predictions: Predictions,
        targets: PaddedTargets,
        is_foreground: Bool[Tensor, "K A"],
    ) -> Float[Tensor, "K A"] | None:
        return None


class Config(NegativeWeightConfig):
    """Weighs all anchors by 1."""

    kind: Literal["uniform"] = "uniform"

    @override
    def build(self) -> Uniform:
        return Uniform()

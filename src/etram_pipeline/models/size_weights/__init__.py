"""How much the box of an object counts in the loss, by its size; one module per rule."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from typing_extensions import override

from etram_pipeline.core.component import Component
from etram_pipeline.models.assignment import AssignedAnchors
from etram_pipeline.models.detector import Losses

SMALL_AREA = 32.0**2
"""Area in px up to which COCO calls an object small."""

MEDIUM_AREA = 96.0**2
"""Area in px up to which COCO calls an object medium."""


class SizeWeight(nn.Module, ABC):
    """Weighs the overlap loss of objects.

    Areas are those of the ground truth in px of the image that the network sees.
    """

    @abstractmethod
    def forward(self, areas: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
        """Factor of the overlap loss of objects of these areas, at least 1."""

    def follow(self, assigned: AssignedAnchors) -> Losses:  # noqa: ARG002
        """Take note of how well the objects of a batch were found, once its losses are computed.

        Every process calls this once per batch.

        Returns:
            What the rule follows, as running values (`running_…`) to be logged; none by default.
        """
        return {}


class SizeWeightConfig(Component):
    """Chooses a rule."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def build(self) -> SizeWeight:
        """Make the rule."""


class FixedConfig(SizeWeightConfig):
    """A rule that depends on nothing but the area."""

    @abstractmethod
    def weigh(self, areas: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
        """Factor of the overlap loss of objects of these areas in px, at least 1."""

    @override
    def build(self) -> "FixedSizeWeight":
        return FixedSizeWeight(self)


class FixedSizeWeight(SizeWeight):
    """A rule without state."""

    def __init__(self, config: FixedConfig) -> None:
        super().__init__()
        self.config = config

    @override
    def forward(self, areas: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
        return self.config.weigh(areas)


class SizeAwareConfig(SizeWeightConfig):
    """A rule that weighs small objects more; with any but `uniform` losses change.

    Attributes:
        maximum: Largest factor.
    """

    maximum: float = Field(default=2.0, ge=1)


class SizeClassesConfig(SizeAwareConfig):
    """A rule with a factor each for small, medium and large objects; by default, COCO's.

    Attributes:
        small_area: Largest area of a small object in px.
        medium_area: Largest area of a medium object in px.
    """

    small_area: float = Field(default=SMALL_AREA, gt=0)
    medium_area: float = Field(default=MEDIUM_AREA, gt=0)

    @model_validator(mode="after")
    def _check_order(self) -> "SizeClassesConfig":
        if self.medium_area < self.small_area:
            raise ValueError(
                f"medium_area {self.medium_area} must not be below small_area {self.small_area}"
            )
        return self

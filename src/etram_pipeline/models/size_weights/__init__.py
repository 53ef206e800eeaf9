"""How much the box of an object counts in the loss, by its size; one module per rule."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from etram_pipeline.core.component import Component

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

SMALL_AREA = 32.0**2
"""Area in px up to which COCO calls an object small."""

MEDIUM_AREA = 96.0**2
"""Area in px up to which COCO calls an object medium."""


class SizeWeightConfig(Component):
    """Chooses a rule.

    Areas are those of the ground truth in px of the image that the network sees.
    """

    package: ClassVar[str] = __name__

    @abstractmethod
    def weigh(self, areas: 'Float[Tensor, " N"]') -> 'Float[Tensor, " N"]':
        """Factor of the overlap loss of objects of these areas, at least 1."""


class SizeAwareConfig(SizeWeightConfig):
    """A rule that weighs small objects more; with any but `uniform` losses change.

    Attributes:
        maximum: Largest factor.
    """

    maximum: float = Field(default=2.0, ge=1)

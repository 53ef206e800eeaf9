"""Pictures of stored representations; one module per kind of picture."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from jaxtyping import Integer, UInt8

from etram_pipeline.core.component import Component

Picture = UInt8[np.ndarray, "H W"] | UInt8[np.ndarray, "H W 3"]
"""Grey values, or red, green and blue, by row and column."""

Painter = Callable[[Integer[np.ndarray, "C H W"]], Picture]
"""Draws the picture of one representation.

The picture depends on nothing else, so equal representations give equal pictures.
"""


class PictureConfig(Component):
    """Chooses what a picture shows."""

    package: ClassVar[str] = __name__

    shows_polarities: ClassVar[bool] = False
    """Whether the painter is given what `RepresentationConfig.drawn` makes of a representation."""

    @abstractmethod
    def build(self, channels: int, *, signed: bool) -> Painter:
        """Make the painter for one kind of representation.

        Args:
            channels: Number of channels of a representation.
            signed: Whether its values are signed sums over both polarities, rather than counts.

        Raises:
            StoreError: If such a representation cannot be drawn in this way.
        """

"""Pictures of stored representations; one module per kind of picture."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from jaxtyping import Integer, UInt8

from etram_pipeline.core.component import Component

Picture = UInt8[np.ndarray, "H W"] | UInt8[np.ndarray, "H W 3"]
"""Grey, or red, green and blue, of each pixel by row and column."""

Painter = Callable[[Integer[np.ndarray, "C H W"]], Picture]
"""Makes the picture of one representation.

It depends on nothing else, so that equal representations look equal wherever they come from.
"""


class PictureConfig(Component):
    """Chooses what a picture shows."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def build(self, channels: int, *, signed: bool) -> Painter:
        """Make the painter for representations of so many channels.

        Args:
            channels: Channels of a representation.
            signed: Whether its values are balances of both polarities, or counts.

        Raises:
            StoreError: If such representations do not have what the picture shows.
        """

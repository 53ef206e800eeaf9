"""How bright events are drawn, when what is still to come is not known."""

import numpy as np
from jaxtyping import Integer

from etram_pipeline.events.polarity import saturation_of

_EVERY = 10
_SHARE = 0.2
"""Share of a new strength in the mean; with one in ten windows, it takes seconds to change."""


class Brightness:
    """Strength drawn at full brightness: a slow mean, so that pictures do not flicker."""

    def __init__(self) -> None:
        self._saturation = 1.0
        self._num_windows = 0

    def of(self, frame: Integer[np.ndarray, "C H W"]) -> float:
        """Strength for the next window of a stream."""
        if self._num_windows % _EVERY == 0 and frame.any():
            share = _SHARE if self._num_windows else 1.0
            self._saturation += share * (saturation_of(frame) - self._saturation)
        # Windows without events say nothing of those with some.
        self._num_windows += int(self._num_windows > 0 or frame.any())
        return self._saturation

"""What the encodings of a camera's data stream have in common."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

EVENT = np.dtype(
    [("t_us", np.int64), ("x", np.uint16), ("y", np.uint16), ("polarity", np.uint8)], align=True
)
"""One decoded event."""

Decoder = Callable[[npt.NDArray[np.generic], npt.NDArray[np.void], npt.NDArray[np.void]], int]
"""Decodes words into events, from a state that it advances; returns the number of events."""


@dataclass(frozen=True)
class Encoding:
    """How a stream of words encodes events.

    Attributes:
        word: Type of a word.
        state: Type of what the decoder remembers between words; zeros at the beginning. Its field
            `started` turns 1 at the first word that tells the time, before which there is no event.
        events_per_word: Most events one word can hold.
        decode: Decodes a stretch of words; `events` must have room for all they can hold.
    """

    word: npt.DTypeLike
    state: np.dtype[np.void]
    events_per_word: int
    decode: Decoder

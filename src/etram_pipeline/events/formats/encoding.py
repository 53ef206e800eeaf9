"""Common interface of the encodings of a camera's data stream."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Int64, UInt8, UInt16

from etram_pipeline.events.formats.cleaning import Columns

EventArrays = tuple[
    UInt16[np.ndarray, " N"],
    UInt16[np.ndarray, " N"],
    Int64[np.ndarray, " N"],
    UInt8[np.ndarray, " N"],
]
"""Columns, rows, times in microseconds and polarities."""

Decoder = Callable[[npt.NDArray[np.generic], Int64[np.ndarray, " S"], EventArrays], int]
"""Decodes words into events, from a state that it advances; returns the number of events."""


@dataclass(frozen=True)
class Encoding:
    """How a stream of words encodes events.

    Attributes:
        name: What index files call it.
        word: Type of a word.
        state_size: Numbers that the decoder keeps between words; zeros at the beginning. The first
            becomes 1 at the first word with a time, before which there are no events; the second is
            the time.
        events_per_word: Most events that one word can hold.
        decode: Decodes successive words; the arrays must have room for all events in them.
        sdk_lead_us: How much earlier than the first word with a time Prophesee's SDK starts its
            clock.
        recipe: Raised when the same words are decoded into other states or events.
    """

    name: str
    word: npt.DTypeLike
    state_size: int
    events_per_word: int
    decode: Decoder
    sdk_lead_us: int = 0
    recipe: int = 1


def allocate(num_events: int) -> EventArrays:
    """Uninitialised arrays for a number of events."""
    return (
        np.empty(num_events, np.uint16),
        np.empty(num_events, np.uint16),
        np.empty(num_events, np.int64),
        np.empty(num_events, np.uint8),
    )


def columns_of(events: EventArrays, num_events: int) -> Columns:
    """The first events, as views of the arrays."""
    x, y, t_us, polarity = (array[:num_events] for array in events)
    return Columns(x, y, t_us, polarity)

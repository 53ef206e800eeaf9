"""What sources hand over: events in arrays of any layout, and the time."""

from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from jaxtyping import Int64

from etram_pipeline.core.recording import Events
from etram_pipeline.events.formats.cleaning import Columns

EventTable = npt.NDArray[Any]
"""Structured array with a row per event: `x`, `y`, a time and a polarity, see `read_columns`."""

NEW_CLOCK: Final = "new clock"
"""Says that the times to come have nothing to do with those before."""

Chunk = EventTable | Events | int | Literal["new clock"]
"""Events in the order in which the sensor sent them; or a time in microseconds before which no
event will come any more; or `NEW_CLOCK`."""

FARTHEST_US = 2**61
"""Times are limited to this many microseconds from zero, so that their differences cannot wrap."""

_TIMES, _POLARITIES = ("t", "t_us", "timestamp"), ("p", "polarity", "on")
_WHOLE, _SIGNS = "iu", "iub"


def read_columns(chunk: EventTable | Events) -> Columns:
    """Events of a chunk as columns; times are a copy, limited to `FARTHEST_US`.

    Args:
        chunk: Clean events, or a structured array: times in microseconds named `t`, `t_us` or
            `timestamp`, polarities named `p`, `polarity` or `on`. Fields may have any order and
            width, and there may be others.

    Raises:
        ValueError: If the array has no such fields, or they hold no whole numbers.
    """
    if isinstance(chunk, Events):
        return Columns(chunk.x, chunk.y, _as_times(chunk.t_us), chunk.polarity)
    if chunk.dtype.names is None or chunk.ndim != 1:
        raise ValueError(
            f"a chunk of events has shape {chunk.shape} and dtype {chunk.dtype}; "
            "give a one-dimensional structured array with x, y, t and p"
        )
    return Columns(
        x=_field(chunk, ("x",), _WHOLE),
        y=_field(chunk, ("y",), _WHOLE),
        t_us=_as_times(_field(chunk, _TIMES, _WHOLE)),
        polarity=_field(chunk, _POLARITIES, _SIGNS),
    )


def wraps(chunk: EventTable | Events) -> bool:
    """Whether the times of a chunk have 32 bits, and so begin anew after 72 minutes."""
    if isinstance(chunk, Events):
        return False
    return _field(chunk, _TIMES, _WHOLE).dtype.itemsize == np.dtype(np.uint32).itemsize


def _field(chunk: EventTable, names: tuple[str, ...], kinds: str) -> npt.NDArray[Any]:
    found = next((name for name in names if name in (chunk.dtype.names or ())), None)
    if found is None:
        raise ValueError(
            f"a chunk of events has the fields {', '.join(chunk.dtype.names or ())}, but none "
            f"named {' or '.join(names)}; rename it"
        )
    values = chunk[found]
    if values.dtype.kind not in kinds or values.ndim != 1:
        unit = "; give whole microseconds" if names == _TIMES else "; give whole numbers"
        raise ValueError(f"field {found!r} of a chunk of events holds {chunk.dtype[found]}{unit}")
    return np.ascontiguousarray(values)


def _as_times(values: npt.NDArray[Any]) -> Int64[np.ndarray, " N"]:
    if values.dtype.itemsize < np.dtype(np.int64).itemsize:
        return values.astype(np.int64)
    least = 0 if values.dtype.kind == "u" else -FARTHEST_US
    return values.clip(least, FARTHEST_US).astype(np.int64)

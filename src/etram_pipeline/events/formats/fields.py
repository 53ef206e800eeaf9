"""Names of event columns in files, and the units of time that these names may state."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from etram_pipeline.core.errors import RecordingError

_ALIASES = {
    "t": ("t", "ts", "time", "times", "timestamp", "timestamps"),
    "x": ("x", "xs"),
    "y": ("y", "ys"),
    "p": ("p", "ps", "pol", "pols", "polarity", "polarities", "on"),
}
NAMES = tuple(_ALIASES)

UNITS_NS = {"ns": 1, "us": 1000, "ms": 10**6, "s": 10**9}
"""Nanoseconds in each unit of time that a file may state."""

_UNIT_NAMES = {
    **{unit: unit for unit in UNITS_NS},
    **dict.fromkeys(("µs", "μs", "usec", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("nsec", "nanosecond", "nanoseconds"), "ns"),
    **dict.fromkeys(("msec", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("sec", "second", "seconds"), "s"),
}
_LEAST_ROWS, _MOST_ROWS = 64, 2**12
_MANY_FALLS, _FEW_FALLS = 0.05, 0.01
"""Shares of values below the preceding one: more than times have, and what times may have."""

_NUM_POLARITIES = 2
_WITH_UNIT = re.compile(r"([a-z]+)(?:_|\s*[\[(]\s*|\s+)([a-zµμ]+)\s*[\])]?")


class Fields(NamedTuple):
    """The event columns of a file.

    Attributes:
        names: Names of `t`, `x`, `y` and `p` in the file.
        unit: Unit stated in the name of the times; None if it states none.
    """

    names: dict[str, str]
    unit: str | None


def find_unit(text: str) -> str | None:
    """`us` for `µs`, `usec`, `microseconds` and the like; None if it is not a unit of time."""
    return _UNIT_NAMES.get(text.strip().lower())


def match_fields(names: Iterable[str]) -> Fields | None:
    """The event columns among the columns of a file; None if one is missing.

    If several names match the same column, the shortest is used.
    """
    found: dict[str, tuple[str, str | None]] = {}
    for name in sorted(names, key=lambda name: (len(name), name)):
        column, unit = _recognise(name)
        if column is not None:
            found.setdefault(column, (name, unit))
    if len(found) < len(NAMES):
        return None
    return Fields({column: found[column][0] for column in NAMES}, found["t"][1])


def check_order(path: Path, columns: Sequence[Shaped[np.ndarray, " N"]], remedy: str) -> None:
    """Refuse columns without names that are evidently in another order than t, x, y, p.

    Only times rise throughout a recording.

    Args:
        path: The file, for the message.
        columns: First events of a recording, taken for t, x, y and p.
        remedy: How to change the order of the columns, for the message.

    Raises:
        RecordingError: If another column than the first rises.
    """
    columns = [each[:_MOST_ROWS] for each in columns]
    num_rows = len(columns[0])
    if num_rows < _LEAST_ROWS:
        return
    # Times that are slightly out of order still rise from one half of the rows to the other.
    is_other = all(_falls(columns[0], lag) > _MANY_FALLS for lag in (1, num_rows // 2))
    rising = [
        number
        for number, column in enumerate(columns, 1)
        if _falls(column, 1) <= _FEW_FALLS and len(np.unique(column)) > _NUM_POLARITIES
    ]
    if is_other and len(rising) == 1:
        raise RecordingError(
            f"{path}: the columns are taken for t, x, y, p in this order, but the first does not "
            f"rise as times do, and column {rising[0]} does; {remedy}"
        )


def _falls(column: Shaped[np.ndarray, " N"], lag: int) -> float:
    """Share of values below the one `lag` rows before them."""
    return float(np.mean(column[lag:] < column[:-lag]))


def _recognise(name: str) -> tuple[str | None, str | None]:
    word = name.strip().lower()
    unit: str | None = None
    stated = _WITH_UNIT.fullmatch(word)
    if stated is not None and (unit := find_unit(stated[2])) is not None:
        word = stated[1]
    for column, aliases in _ALIASES.items():
        if word in aliases and (unit is None or column == "t"):
            return column, unit
    return None, None

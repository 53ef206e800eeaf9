"""What intervals of errors come from: recordings, or minutes of a single recording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from etram_pipeline.core.counts import counted
from etram_pipeline.evaluation.counts.flows import Compared, Crossings
from etram_pipeline.evaluation.counts.ratios import FEWEST_UNITS
from etram_pipeline.evaluation.counts.result import Unit, UnitCount
from etram_pipeline.tracks.observed import Observed

_MINUTE_US = 60_000_000


@dataclass(frozen=True)
class Units:
    """Recordings, or the whole minutes of a single one.

    Attributes:
        unit: Which of them.
        names: Name of each.
        positions: Positions of the recordings, in ascending order.
        start_us: Start of the first minute, in microseconds; not used for recordings.
    """

    unit: Unit
    names: Sequence[str]
    positions: Sequence[int]
    start_us: int = 0

    @property
    def too_few(self) -> str:
        """Why there is no interval; empty if there are enough units for one."""
        if len(self.names) >= FEWEST_UNITS:
            return ""
        there = counted(len(self.names), "whole minute" if self.unit == "minute" else "recording")
        wanted = f"an interval needs {FEWEST_UNITS} recordings"
        if self.unit == "minute":
            return f"{wanted} or minutes, but there is a single recording with {there}"
        return f"{wanted}, but there are {there}"

    def numbers(
        self, crossings: Crossings, chosen: Bool[np.ndarray, " N"] | None = None
    ) -> Float64[np.ndarray, " U"]:
        """Number of crossings in each unit, of all or of those chosen."""
        places = self._places(crossings)
        inside = (places >= 0) & (places < len(self.names))
        if chosen is not None:
            inside &= chosen
        return np.bincount(places[inside], minlength=len(self.names)).astype(np.float64)

    def count(self, compared: Compared) -> tuple[UnitCount, ...]:
        """All numbers of each unit."""
        true, found = compared.true, compared.counted
        columns = (
            self.numbers(true),
            self.numbers(found),
            self.numbers(true, true.is_paired),
            self.numbers(true, true.is_same_class),
        )
        return tuple(
            UnitCount(
                name=name,
                true=int(numbers[0]),
                counted=int(numbers[1]),
                found=int(numbers[2]),
                same_class=int(numbers[3]),
            )
            for name, *numbers in zip(self.names, *columns, strict=True)
        )

    def _places(self, crossings: Crossings) -> Int64[np.ndarray, " N"]:
        if self.unit == "minute":
            return (crossings.t_us - self.start_us) // _MINUTE_US
        positions = np.array(self.positions, np.int64)
        places = np.searchsorted(positions, crossings.recording).clip(max=len(positions) - 1)
        is_mine = positions[places] == crossings.recording
        return np.where(is_mine, places, -1).astype(np.int64)


def find_units(observed: Mapping[str, Observed], positions: Sequence[int]) -> Units:
    """The units that some recordings give.

    Args:
        observed: What was observed of all recordings.
        positions: Positions of those in question.
    """
    keys = list(observed)
    if len(positions) != 1:
        return Units("recording", [keys[each] for each in positions], positions)
    only = observed[keys[positions[0]]]
    whole = max(0, only.stop_us - only.start_us) // _MINUTE_US
    return Units("minute", [str(each + 1) for each in range(whole)], positions, only.start_us)

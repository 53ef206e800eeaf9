"""The validation value that tells the better of two detectors."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Monitor:
    """What is watched while a detector trains.

    Attributes:
        name: Full name of the value that selects the best checkpoint: `val/etram_8class/AP`.
        mode: Which end of its range is the better one.
        titles: Titles of the values that the log shows, by full name.
    """

    name: str
    mode: Literal["max", "min"] = "max"
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def worst(self) -> float:
        """A value that every score is better than."""
        return -1.0 if self.mode == "max" else math.inf

    def is_better(self, score: float, best: float) -> bool:
        """Whether a score is better than the best one so far."""
        return score > best if self.mode == "max" else score < best

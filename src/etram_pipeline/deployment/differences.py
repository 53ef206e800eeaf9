"""The largest differences between two programs, output by output and window by window."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Shaped

from etram_pipeline.deployment.settings import ParitySettings

UNITS = {"boxes_px": " px", "kept_boxes_px": " px"}


@dataclass
class Worst:
    """The largest difference of one kind.

    Attributes:
        value: How large it is; infinite where a number is not a number.
        output: Which output it is in.
        window: Which window it is in, counted from 1.
    """

    value: float = 0.0
    output: str = ""
    window: int = 0

    def see(self, value: float, output: str, window: int) -> None:
        """Keep a difference if it is larger than those before."""
        if value > self.value:
            self.value, self.output, self.window = value, output, window


@dataclass
class Differences:
    """The largest differences of each kind, which are named as their limits in `ParitySettings`."""

    worst: dict[str, Worst] = field(default_factory=dict)

    def see(self, kind: str, value: float, output: str, window: int) -> None:
        """Take one difference into account."""
        self.worst.setdefault(kind, Worst()).see(value, output, window)

    def __getitem__(self, kind: str) -> float:
        """The largest difference of a kind; 0 if there was none."""
        return self.worst.get(kind, Worst()).value

    def fault(self, settings: ParitySettings) -> str:
        """What exceeds its limit most, and how many other kinds exceed theirs; empty if none."""
        limits = {kind: float(getattr(settings, kind)) for kind in self.worst}
        beyond = [kind for kind in self.worst if self[kind] > limits[kind]]
        if not beyond:
            return ""
        first = max(beyond, key=lambda kind: self[kind] / limits[kind])
        worst, unit = self.worst[first], UNITS.get(first, "")
        others = [kind for kind in beyond if kind != first]
        more = f"; {', '.join(others)} are beyond their limits, too" if others else ""
        return (
            f"in window {worst.window}, {worst.output} differ by {worst.value:.3g}{unit}, but "
            f"deploy.parity.{first} allows {limits[first]:g}{unit}{more}"
        )


def largest_difference(ours: Shaped[np.ndarray, "..."], theirs: Shaped[np.ndarray, "..."]) -> float:
    """Largest difference of two numbers; infinite if one of them is not a number."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(ours.astype(np.float64) - theirs)
    apart[ours == theirs] = 0  # two infinities, too
    return float(np.nan_to_num(apart, nan=np.inf).max(initial=0))


def largest_share(
    ours: Sequence[Shaped[np.ndarray, "..."]], theirs: Sequence[Shaped[np.ndarray, "..."]]
) -> list[float]:
    """Largest difference in each pair of arrays, as a share of the largest number if above 1."""
    return [
        largest_difference(our, their) / max(1.0, float(np.abs(their).max(initial=0)))
        for our, their in zip(ours, theirs, strict=True)
    ]

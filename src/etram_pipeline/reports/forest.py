"""Differences with their intervals as points on a common scale: a forest plot, row by row."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from markupsafe import Markup

from etram_pipeline.evaluation.paired import Difference
from etram_pipeline.reports.comparison_wording import excludes_zero, interval_text, signed_text

WIDTH, HEIGHT = 260, 22
"""Size of a row, in px."""

_MARGIN = 8.0
_STEPS = (1, 2, 2.5, 5, 10)
_SMALLEST = 0.01
_CAP = 4.0


@dataclass(frozen=True)
class Scale:
    """A horizontal scale around 0.

    Attributes:
        reach: Value at both ends.
    """

    reach: float

    @classmethod
    def around(cls, differences: Iterable[Difference], most: float = math.inf) -> "Scale":
        """The scale that shows all differences and intervals, with a round number at its ends.

        Args:
            differences: What to show.
            most: Largest value that decides the scale; beyond it, intervals are cut off.
        """
        return cls(_round_up(min(max(map(extent, differences), default=0.0), most)))

    def place(self, value: float) -> float:
        """Distance of a value from the left edge, in px; values off the scale are at its ends."""
        share = min(max(value / self.reach, -1.0), 1.0)
        return WIDTH / 2 + share * (WIDTH / 2 - _MARGIN)

    def axis(self) -> Markup:
        """The numbers at the ends and in the middle, as an `<svg>`."""
        ends = ((-self.reach, "start"), (0.0, "middle"), (self.reach, "end"))
        edges = {"start": 0.0, "middle": WIDTH / 2, "end": float(WIDTH)}
        texts = Markup("").join(
            Markup('<text x="{x:g}" y="14" text-anchor="{anchor}">{text}</text>').format(
                x=edges[anchor], anchor=anchor, text=_tick(value)
            )
            for value, anchor in ends
        )
        return _svg("axis", texts, f"scale from {_tick(-self.reach)} to {_tick(self.reach)}")

    def row(self, name: str, difference: Difference) -> Markup:
        """A point with its interval, as an `<svg>` with its alternative in words.

        The point is filled if the interval excludes 0.

        Args:
            name: What differs.
            difference: How much.
        """
        text = f"{name}: {signed_text(difference.difference)}"
        if difference.low is not None:
            text += f", 95 % interval {interval_text(difference.low, difference.high)}"
        return _svg(_kind(difference), Markup("").join(self._marks(difference)), text)

    def _marks(self, difference: Difference) -> Iterator[Markup]:
        middle = HEIGHT / 2
        yield Markup('<path class="zero" d="M{x:.1f} 0V{height}"/>').format(
            x=self.place(0.0), height=HEIGHT
        )
        if difference.low is not None and difference.high is not None:
            ends = "".join(map(self._end, (difference.low, difference.high)))
            yield Markup(
                '<path class="interval" d="M{low:.1f} {middle:g}H{high:.1f}{ends}"/>'
            ).format(
                low=self.place(difference.low),
                high=self.place(difference.high),
                middle=middle,
                ends=ends,
            )
        yield Markup('<circle cx="{x:.1f}" cy="{middle:g}" r="4.2"/>').format(
            x=self.place(difference.difference), middle=middle
        )

    def _end(self, value: float) -> str:
        """The end of an interval: a cap, or an arrow where it is off the scale."""
        x, middle = self.place(value), HEIGHT / 2
        if abs(value) <= self.reach:
            return f"M{x:.1f} {middle - _CAP:g}v{2 * _CAP:g}"
        back = math.copysign(_CAP, value)
        return f"M{x - back:.1f} {middle - _CAP:g}l{back:g} {_CAP:g}l{-back:g} {_CAP:g}"


def extent(difference: Difference) -> float:
    """Largest distance from 0 of a difference and of the ends of its interval."""
    values = (difference.difference, difference.low, difference.high)
    return max(abs(value) for value in values if value is not None)


def _round_up(value: float) -> float:
    value = max(value, _SMALLEST)
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in _STEPS if step * power >= value * (1 - 1e-9))


def _kind(difference: Difference) -> str:
    if not excludes_zero(difference):
        return "unclear"
    return "higher" if difference.difference > 0 else "lower"


def _tick(value: float) -> str:
    return signed_text(value) if value else "0"


def _svg(kind: str, content: Markup, description: str) -> Markup:
    return Markup(
        '<svg class="forest {kind}" width="{width}" height="{height}" viewBox="0 0 {width} '
        '{height}" role="img" aria-label="{description}">{content}</svg>'
    ).format(kind=kind, width=WIDTH, height=HEIGHT, description=description, content=content)

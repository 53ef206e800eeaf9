"""Which way `forward` is at a line, and where its name is written."""

import math
from dataclasses import dataclass
from itertools import pairwise

from etram_pipeline.traffic.site import Line, Point


@dataclass(frozen=True)
class LineArrow:
    """An arrow across a line.

    Attributes:
        middle: Middle of the middle part of the line, in px.
        forward: Direction of length 1 of those who cross it forward.
    """

    middle: Point
    forward: Point

    def at(self, distance: float) -> Point:
        """The point so far ahead of the middle; behind it if negative."""
        x, y = self.middle
        return x + distance * self.forward[0], y + distance * self.forward[1]

    def head(self, distance: float, size: float) -> tuple[Point, Point, Point]:
        """The tip of an arrow of that length, and the ends of its two barbs."""
        (x, y), (right, down) = self.at(distance - size), self.forward
        side = 0.6 * size
        return (
            self.at(distance),
            (x - side * down, y + side * right),
            (x + side * down, y - side * right),
        )


def line_arrow(line: Line) -> LineArrow:
    """The arrow of a line, to the right hand of the way from its first point to its last."""
    part = (len(line.points) - 1) // 2
    (x1, y1), (x2, y2) = line.points[part : part + 2]
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    return LineArrow(
        middle=((x1 + x2) / 2, (y1 + y2) / 2), forward=((y1 - y2) / length, (x2 - x1) / length)
    )


def name_place(line: Line) -> Point:
    """The point at a quarter of the length of a line, where ends of other lines are rarely met."""
    lengths = [math.dist(*step) for step in pairwise(line.points)]
    left = sum(lengths) / 4
    for (start, stop), length in zip(pairwise(line.points), lengths, strict=True):
        if left <= length and length:
            share = left / length
            x, y = (a + share * (b - a) for a, b in zip(start, stop, strict=True))
            return x, y
        left -= length
    return line.points[-1]

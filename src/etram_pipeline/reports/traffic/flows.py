"""Where road users come from and go to, as arrows on the picture of a site."""

import math
from collections import Counter
from collections.abc import Iterator

from markupsafe import Markup

from etram_pipeline.core.counts import counted
from etram_pipeline.drawing import palette
from etram_pipeline.reports.traffic.line_arrow import line_arrow, name_place
from etram_pipeline.traffic.counting import Traffic
from etram_pipeline.traffic.site import UNKNOWN, Line, Point

_MOST_ARROWS = 40
"""More would cover each other; the table has them all."""

_WIDEST, _THINNEST = 1 / 90, 1 / 500
"""Widths of arrows as shares of the width of the picture."""

_BEND = 0.16
"""How far arrows bend to their left, so that two opposite ones are told apart."""

Flow = tuple[str, str]
"""Origin and destination."""


def flow_counts(traffic: Traffic) -> Counter[Flow]:
    """Number of movements by origin and destination, the most frequent first."""
    found = traffic.movements
    pairs = zip(found["origin"].tolist(), found["destination"].tolist(), strict=True)
    return Counter(dict(Counter(pairs).most_common()))


def draw_flows(traffic: Traffic, picture: str) -> Markup:
    """The picture of a site with lines, their counts, and an arrow for each movement.

    Args:
        traffic: What was counted.
        picture: Address of the picture, of the size of the sensor; empty: nothing is behind.
    """
    width, height = traffic.observed.width, traffic.observed.height
    parts = [Markup("<title>{}</title>").format(_in_words(traffic))]
    if picture:
        image = '<image href="{}" width="{}" height="{}" opacity="0.6"/>'
        parts.append(Markup(image).format(picture, width, height))
    parts += [*_shapes(traffic), *_arrows(traffic), *_labels(traffic)]
    start = (
        '<svg class="flows" viewBox="0 0 {} {}" role="img" aria-label="{}" font-size="{}" '
        'stroke-width="{}">'
    )
    opened = Markup(start).format(
        width, height, _in_words(traffic), _text_size(traffic), width / 420
    )
    return opened + Markup("").join(parts) + Markup("</svg>")


def _in_words(traffic: Traffic) -> str:
    flows = [
        f"{number} from {origin} to {destination}"
        for (origin, destination), number in flow_counts(traffic).items()
    ]
    return f"Movements between lines: {', '.join(flows[:_MOST_ARROWS]) or 'none'}"


def _shapes(traffic: Traffic) -> Iterator[Markup]:
    for zone in traffic.site.zones.values():
        yield Markup('<polygon class="zone" points="{}"/>').format(_points(zone.polygon))
    for zone in traffic.site.ignore.values():
        yield Markup('<polygon class="ignored" points="{}"/>').format(_points(zone.polygon))
    size = _text_size(traffic)
    for line in traffic.site.lines.values():
        yield Markup('<polyline class="line" points="{}"/>').format(_points(line.points))
        arrow = line_arrow(line)
        tip, left, right = arrow.head(size, size / 3)
        points = _points([arrow.middle, tip, left, tip, right])
        yield Markup('<polyline class="line" points="{}"/>').format(points)


def _labels(traffic: Traffic) -> Iterator[Markup]:
    """Name of each line, and how many crossed it in each direction."""
    found = traffic.crossings
    counts = Counter(zip(found["line"].tolist(), found["direction"].tolist(), strict=True))
    for name, line in traffic.site.lines.items():
        x, y = name_place(line)
        ways = (line.forward, line.backward)
        numbers = " · ".join(f"{way} {counts[name, way]}" for way in ways)
        y = min(y, traffic.observed.height - 1.6 * _text_size(traffic))
        yield _text(traffic, (x, y), name, "line")
        yield _text(traffic, (x, max(y, 0) + 1.1 * _text_size(traffic)), numbers, "line counts")


def _arrows(traffic: Traffic) -> Iterator[Markup]:
    known = {flow: number for flow, number in flow_counts(traffic).items() if UNKNOWN not in flow}
    largest = max(known.values(), default=1)
    width = traffic.observed.width
    lines = traffic.site.lines
    # The thinnest last, so that no wide arrow hides one.
    for (origin, destination), number in list(known.items())[:_MOST_ARROWS]:
        thickness = width * max(_THINNEST, _WIDEST * number / largest)
        start, stop = (line_arrow(lines[name]).middle for name in (origin, destination))
        path = _turned_back(lines[origin], width) if origin == destination else _bent(start, stop)
        colour = palette.direction_colour(math.atan2(stop[1] - start[1], stop[0] - start[0]))
        yield Markup(
            '<g class="flow" style="--colour:{}"><title>{}</title><path class="around" d="{}" '
            'stroke-width="{:.1f}"/><path d="{}" stroke-width="{:.1f}"/><path class="head" '
            'd="{}"/></g>'
        ).format(
            colour,
            f"{origin} → {destination}: {counted(number, 'road user')}",
            _curve(path),
            thickness + width / 320,
            _curve(path),
            thickness,
            _head(path, thickness + width / 160),
        )
        yield _text(traffic, _middle(path), str(number), "number")


Path = tuple[Point, Point, Point, Point]
"""Start, two control points and end of a curve."""


def _bent(start: Point, stop: Point) -> Path:
    along = (stop[0] - start[0], stop[1] - start[1])
    side = (along[1] * _BEND, -along[0] * _BEND)
    first, second = (
        (start[0] + share * along[0] + side[0], start[1] + share * along[1] + side[1])
        for share in (1 / 3, 2 / 3)
    )
    return start, first, second, stop


def _turned_back(line: Line, width: int) -> Path:
    """A loop through a line, for those who leave where they came from."""
    arrow, size = line_arrow(line), width / 14
    (x, y), (right, down) = arrow.middle, arrow.forward
    start, stop = ((x - way * down * size / 4, y + way * right * size / 4) for way in (-1, 1))
    ends = [(end[0] + right * size, end[1] + down * size) for end in (start, stop)]
    return start, ends[0], ends[1], stop


def _curve(path: Path) -> str:
    start, first, second, stop = (f"{x:.1f} {y:.1f}" for x, y in path)
    return f"M{start}C{first} {second} {stop}"


def _middle(path: Path) -> Point:
    weights = (1 / 8, 3 / 8, 3 / 8, 1 / 8)
    x, y = (sum(w * p[axis] for w, p in zip(weights, path, strict=True)) for axis in (0, 1))
    return x, y


def _head(path: Path, size: float) -> str:
    (x1, y1), (x2, y2) = path[2], path[3]
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    right, down = (x2 - x1) / length, (y2 - y1) / length
    back = (x2 - 1.6 * size * right, y2 - 1.6 * size * down)
    corners = [
        (x2 + 0.4 * size * right, y2 + 0.4 * size * down),
        (back[0] - 0.8 * size * down, back[1] + 0.8 * size * right),
        (back[0] + 0.8 * size * down, back[1] - 0.8 * size * right),
    ]
    return f"M{_points(corners)}Z"


def _text(traffic: Traffic, place: Point, text: str, name: str) -> Markup:
    """A text that lies within the picture."""
    width, height, size = traffic.observed.width, traffic.observed.height, _text_size(traffic)
    half = 0.3 * size * len(text)
    x = min(max(place[0], half + 2), width - half - 2)
    y = min(max(place[1], size / 2 + 2), height - size / 2 - 2)
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(name, x, y, text)


def _text_size(traffic: Traffic) -> float:
    """Height of letters, readable on a phone."""
    return traffic.observed.width / 36


def _points(points: tuple[Point, ...] | list[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)

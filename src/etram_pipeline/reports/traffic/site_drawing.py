"""Lines and zones of a site, drawn on pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from etram_pipeline.drawing import palette
from etram_pipeline.drawing.render import font, text_px
from etram_pipeline.reports.traffic.line_arrow import line_arrow, name_place
from etram_pipeline.traffic.site import Point, Site

_HATCH_PX = 14
_CLEAR = (0, 0, 0, 0)

Counts = Mapping[tuple[str, str], int]
"""Crossings by line and direction."""


class LineCounts:
    """Crossings of each line and direction up to a time."""

    def __init__(self, crossings: npt.NDArray[Any] | None) -> None:
        """Args: rows with `t`, `line` and `direction`; None: there are none."""
        self._times_us: dict[tuple[str, str], list[int]] = {}
        for row in () if crossings is None else np.sort(crossings, order="t"):
            key = (str(row["line"]), str(row["direction"]))
            self._times_us.setdefault(key, []).append(int(row["t"]))

    def until(self, time_us: int) -> Counts:
        """Numbers of crossings up to and including a time."""
        return {
            key: int(np.searchsorted(times, time_us, side="right"))
            for key, times in self._times_us.items()
        }


def draw_site(site: Site, size: tuple[int, int], factor: float) -> Image.Image:
    """Lines with arrows, zones, and hatched ignored zones, on nothing.

    Args:
        site: What to draw.
        size: Width and height of the picture.
        factor: Px of the picture per px of the sensor.
    """
    image = Image.new("RGBA", size, _CLEAR)
    draw = ImageDraw.Draw(image)
    for zone in site.ignore.values():
        _hatch(image, _scaled(zone.polygon, factor))
    for name, zone in site.zones.items():
        polygon = _scaled(zone.polygon, factor)
        draw.polygon(polygon, outline=palette.ZONE_OF_SITE, width=2)
        _write(draw, polygon[0], name, palette.ZONE_OF_SITE)
    arrow_px = _arrow_px(size[0])
    for name, line in site.lines.items():
        draw.line(_scaled(line.points, factor), fill=palette.LINE_OF_SITE, width=2)
        arrow = line_arrow(line)
        tip, *barbs = _scaled(arrow.head(arrow_px / factor, arrow_px / factor / 3), factor)
        draw.line((*_scaled([arrow.middle], factor), tip), fill=palette.LINE_OF_SITE, width=2)
        for barb in barbs:
            draw.line((tip, barb), fill=palette.LINE_OF_SITE, width=2)
        _write(draw, _scaled([name_place(line)], factor)[0], name, palette.LINE_OF_SITE)
    return image


def draw_counts(draw: ImageDraw.ImageDraw, site: Site, counts: Counts, factor: float) -> None:
    """Write at both sides of each line how many have crossed it in that direction."""
    picture_width = draw.im.size[0]
    letters, gap = font(text_px(picture_width), bold=True), 0.7 * text_px(picture_width)
    for name, line in site.lines.items():
        arrow = line_arrow(line)
        across, down = map(abs, arrow.forward)
        for direction, way, free in (
            (line.forward, 1, _arrow_px(picture_width) + gap),
            (line.backward, -1, gap),
        ):
            text = f"{direction} {counts.get((name, direction), 0)}"
            left, top, right, bottom = draw.textbbox((0, 0), text, font=letters)
            half = (across * (right - left) + down * (bottom - top)) / 2
            (place,) = _scaled([arrow.at(way * (free + half) / factor)], factor)
            _write(draw, place, text, palette.LINE_OF_SITE, counts=True)


def _arrow_px(picture_width: int) -> float:
    """Length of the arrow across a line."""
    return 2.2 * text_px(picture_width)


def _hatch(image: Image.Image, polygon: list[Point]) -> None:
    """Fill a polygon with slanted lines."""
    width, height = image.size
    lines = Image.new("RGBA", image.size, _CLEAR)
    draw = ImageDraw.Draw(lines)
    for x in range(-height, width, _HATCH_PX):
        draw.line((x, height, x + height, 0), fill=palette.IGNORED)
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).polygon(polygon, fill=140)
    image.paste(
        lines, mask=Image.composite(mask, Image.new("L", image.size), lines.getchannel("A"))
    )
    ImageDraw.Draw(image).polygon(polygon, outline=palette.IGNORED)


def _write(
    draw: ImageDraw.ImageDraw, place: Point, text: str, ink: str, *, counts: bool = False
) -> None:
    """Write inside the picture, as near to a place as its border allows; counts stand out."""
    letters, anchor = font(text_px(draw.im.size[0]), bold=counts), "mm" if counts else "lb"
    left, top, right, bottom = draw.textbbox(place, text, font=letters, anchor=anchor)
    width, height = draw.im.size
    x = place[0] - max(right + 2 - width, 0) + max(2 - left, 0)
    y = place[1] - max(bottom + 2 - height, 0) + max(2 - top, 0)
    around = palette.PANEL
    draw.text((x, y), text, ink, letters, anchor, stroke_width=2, stroke_fill=around)


def _scaled(points: tuple[Point, ...] | list[Point], factor: float) -> list[Point]:
    return [(x * factor, y * factor) for x, y in points]

"""Pictures of events, and boxes drawn on them."""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, cast

import numpy as np
from jaxtyping import Float, Integer, UInt8
from PIL import Image, ImageDraw, ImageFont

from etram_pipeline.drawing import palette
from etram_pipeline.events.polarity import count_polarities, saturation_of

RgbImage = UInt8[np.ndarray, "_ _ 3"]
"""Red, green and blue of each pixel by row and column, 0 to 255; of any size."""

_DASH_PX = 6
_DOT_PX, _DOT_EVERY_PX = 2, 6

Outline = Literal["solid", "dashed", "dotted"]
"""Manner in which boxes are drawn: found; ground truth; not seen for the moment."""


@dataclass(frozen=True)
class Overlay:
    """Boxes to draw in one manner.

    Attributes:
        boxes_xyxy: Corners, in px of the picture before it is enlarged.
        colours: Hexadecimal colour of each box.
        tags: Text beside each box, empty for none; no box has one where there are none.
        outline: Manner; ground truth is dashed and thin.
    """

    boxes_xyxy: Float[np.ndarray, "N 4"]
    colours: tuple[str, ...]
    tags: tuple[str, ...] = ()
    outline: Outline = "solid"


def polarity_image(
    frame: Integer[np.ndarray, "C H W"], saturation: float | None = None
) -> RgbImage:
    """Picture of a representation: light where brightness rose, blue where it fell.

    Args:
        frame: Representation of one window, as `count_polarities` expects it.
        saturation: Strength drawn at full brightness; by default that of this frame. Give the same
            to all pictures of a video, or their brightness flickers.
    """
    rising, falling = (counts.astype(np.float32) for counts in count_polarities(frame))
    total = rising + falling
    limit = saturation_of(frame) if saturation is None else saturation
    # The square root keeps a single event visible beside pixels with many.
    strength = np.sqrt((total / limit).clip(0, 1))[..., None]
    share = np.divide(rising, total, out=np.zeros_like(total), where=total > 0)[..., None]
    background, on, off = (
        np.array(palette.rgb(colour), np.float32)
        for colour in (palette.NO_EVENTS, palette.ON, palette.OFF)
    )
    colour = share * on + (1 - share) * off
    picture: RgbImage = np.rint(background + strength * (colour - background)).astype(np.uint8)
    return picture


def enlarge(picture: RgbImage, factor: int) -> RgbImage:
    """The picture with every pixel a square of `factor` px."""
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def enlargement(width: int, wanted_px: int = 960) -> int:
    """Least whole factor that makes a picture `wanted_px` wide, so that text on it is readable."""
    return max(1, -(-wanted_px // width))


def draw_boxes(picture: RgbImage, *overlays: Overlay, scale: int = 1) -> RgbImage:
    """The picture, enlarged by `scale`, with boxes on it; later overlays cover earlier ones."""
    return mark_boxes(enlarge(picture, scale), *overlays, scale=scale)


def mark_boxes(enlarged: RgbImage, *overlays: Overlay, scale: int) -> RgbImage:
    """A picture that was enlarged by `scale` already, with boxes on it, as `draw_boxes` does."""
    image = Image.fromarray(enlarged)
    draw = ImageDraw.Draw(image)
    corners = [_pixels(overlay.boxes_xyxy * scale, *image.size) for overlay in overlays]
    for overlay, boxes in zip(overlays, corners, strict=True):
        for box, colour in zip(boxes, overlay.colours, strict=True):
            _DRAWN[overlay.outline](draw, box, colour)
    taken: list[_Box] = []
    for overlay, boxes in zip(overlays, corners, strict=True):
        for box, colour, tag in zip(boxes, overlay.colours, overlay.tags, strict=False):
            if tag:
                fill = colour if overlay.outline == "solid" else palette.PANEL
                taken.append(_draw_tag(draw, box, tag, taken, fill=fill, outline=colour))
    return np.asarray(image)


def text_px(width: int) -> int:
    """Height of letters on a picture of that width, readable when it is shown at half its size."""
    return max(12, round(width / 72))


@cache
def font(size_px: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Font of text in pictures: the one that matplotlib brings, else Pillow's own; no system font.

    Pillow's has no bold letters.
    """
    found = find_spec("matplotlib")  # to import it would take longer than to draw
    if found is None or found.origin is None:
        return cast("ImageFont.FreeTypeFont", ImageFont.load_default(size_px))
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    folder = Path(found.origin).parent / "mpl-data/fonts/ttf"
    return ImageFont.truetype(folder / name, size_px)


_Box = tuple[int, int, int, int]


def _pixels(boxes_xyxy: Float[np.ndarray, "N 4"], width: int, height: int) -> list[_Box]:
    """First and last pixel of each box, inside the picture, in both directions."""
    last = np.array([width - 1, height - 1])
    first_xy = np.rint(boxes_xyxy[:, :2]).clip(0, last).astype(int)
    last_xy = (np.rint(boxes_xyxy[:, 2:]) - 1).clip(first_xy, last).astype(int)
    return [tuple(row) for row in np.concatenate([first_xy, last_xy], axis=1).tolist()]


def _draw_solid(draw: ImageDraw.ImageDraw, box: _Box, colour: str) -> None:
    draw.rectangle(box, outline=colour, width=2)


def _draw_dashed(draw: ImageDraw.ImageDraw, box: _Box, colour: str) -> None:
    left, top, right, bottom = box
    for x in range(left, right + 1, 2 * _DASH_PX):
        stop = min(x + _DASH_PX - 1, right)
        draw.line((x, top, stop, top), fill=colour)
        draw.line((x, bottom, stop, bottom), fill=colour)
    for y in range(top, bottom + 1, 2 * _DASH_PX):
        stop = min(y + _DASH_PX - 1, bottom)
        draw.line((left, y, left, stop), fill=colour)
        draw.line((right, y, right, stop), fill=colour)


def _draw_dotted(draw: ImageDraw.ImageDraw, box: _Box, colour: str) -> None:
    left, top, right, bottom = box
    across = [(x, y) for x in range(left, right + 1, _DOT_EVERY_PX) for y in (top, bottom)]
    along = [(x, y) for y in range(top, bottom + 1, _DOT_EVERY_PX) for x in (left, right)]
    for x, y in (*across, *along):
        draw.rectangle((x, y, x + _DOT_PX - 1, y + _DOT_PX - 1), fill=colour)


_DRAWN = {"solid": _draw_solid, "dashed": _draw_dashed, "dotted": _draw_dotted}


def _draw_tag(
    draw: ImageDraw.ImageDraw,
    box: _Box,
    text: str,
    taken: list[_Box],
    *,
    fill: str,
    outline: str,
) -> _Box:
    """Write beside a box where no other tag is, and say where."""
    size_px = text_px(draw.im.size[0])
    letters = font(size_px)
    width = round(letters.getlength(text)) + 8
    height = size_px + 5
    left = max(0, min(box[0], draw.im.size[0] - width))
    rows = [box[1] - height, box[3] + 1, box[1] + 2, box[3] - height - 1]
    places = [
        (left, top, left + width - 1, top + height - 1)
        for top in rows
        if 0 <= top <= draw.im.size[1] - height
    ]
    free = [place for place in places if not any(_overlap(place, other) for other in taken)]
    place = (free or places or [(left, 0, left + width - 1, height - 1)])[0]
    draw.rectangle(place, fill=fill, outline=outline)
    ink = palette.readable_ink(fill)
    draw.text((place[0] + 4, place[1] + height / 2), text, fill=ink, font=letters, anchor="lm")
    return place


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]

"""Every colour of figures, pictures and the page, in one place."""

import math
from collections.abc import Sequence

CLASS_COLOURS = (
    "#42ddff",
    "#e37d20",
    "#2c72aa",
    "#ffc300",
    "#dc276c",
    "#955efe",
    "#9f5e26",
    "#b2d3c2",
)
"""Colours of the first eight classes, readable on dark pictures and on white.

Any two differ by at least 25 in CIELAB for normal, protan, deutan and tritan vision alike; found
by a search for the set whose closest pair is farthest apart.
"""

INK = "#1c2430"
"""Text of figures; the page replaces it by the text colour of the reader's theme."""
MUTED = "#66748a"
"""Secondary text of figures."""
LINE = "#d5dce6"
"""Grid lines and frames of figures."""
ACCENT = "#1f6fb2"
"""Bars and lines that stand for no class."""
ACCENT_PALE = "#9cc3e4"
"""The weaker of two bars side by side."""
SERIES = ("#1f6fb2", "#d0652b", "#2a8f72", "#8a5cc2", "#b8860b", "#6b7787")
"""Lines of one figure that stand for no class."""

NO_EVENTS = "#10151e"
"""Pixels without events."""
ON = "#f2f5fa"
"""Pixels where brightness rose."""
OFF = "#3f87d2"
"""Pixels where brightness fell."""
PANEL = "#0a0e15"
"""Strips above and below a picture."""
PANEL_INK = "#e8edf4"
"""Text on those strips."""
PANEL_MUTED = "#8d9bb0"
"""Secondary text on those strips."""
LABEL = "#ffffff"
"""Outlines of ground truth."""

MISTAKE = "#ff4d4d"
"""Second outline of the box that is wrong."""

LINE_OF_SITE = "#ffe9a3"
"""Lines at which traffic is counted."""
ZONE_OF_SITE = "#8fe3b0"
"""Zones of a site."""
IGNORED = "#ff8fa3"
"""Zones in which nothing counts."""
GROUND = "#d9b8ff"
"""Known points of the ground."""

_DIRECTION_LIGHTNESS, _DIRECTION_CHROMA = 0.77, 0.125
"""As strong as sRGB shows all hues alike."""

_MIDDLE_LUMINANCE = 0.18
"""Contrast to the dark and to the light text is equal here."""

Rgb = tuple[int, int, int]


def class_colour(class_id: int) -> str:
    """Hexadecimal colour of a class; colours repeat after the eighth."""
    return CLASS_COLOURS[class_id % len(CLASS_COLOURS)]


def class_colours(class_ids: Sequence[int]) -> tuple[str, ...]:
    """Hexadecimal colour of each class."""
    return tuple(class_colour(class_id) for class_id in class_ids)


def direction_colour(angle: float) -> str:
    """Hexadecimal colour of a direction in a picture; all are as light as each other.

    Args:
        angle: Radians from the right, clockwise, as rows grow downwards.

    Source: Björn Ottosson, "A perceptual color space for image processing", 2020 (Oklab).
    """
    a, b = _DIRECTION_CHROMA * math.cos(angle), _DIRECTION_CHROMA * math.sin(angle)
    lightness = _DIRECTION_LIGHTNESS
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _encoded(value)):02x}" for value in linear)


def rgb(colour: str) -> Rgb:
    """Red, green and blue of a hexadecimal colour, 0 to 255."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def readable_ink(colour: str) -> str:
    """Dark or light text, whichever stands out on `colour`.

    Source: relative luminance of WCAG 2.1.
    """
    linear = [_linear(value / 255) for value in rgb(colour)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return PANEL if luminance > _MIDDLE_LUMINANCE else PANEL_INK


def _linear(value: float) -> float:
    is_dark = value <= 0.04045  # noqa: PLR2004  # of the definition of sRGB
    return value / 12.92 if is_dark else ((value + 0.055) / 1.055) ** 2.4


def _encoded(linear: float) -> float:
    clipped = min(max(linear, 0.0), 1.0)
    is_dark = clipped <= 0.0031308  # noqa: PLR2004  # of the definition of sRGB
    return 12.92 * clipped if is_dark else 1.055 * clipped ** (1 / 2.4) - 0.055

"""Every colour of figures, pictures and the page, in one place."""

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

_MIDDLE_LUMINANCE = 0.18
"""Contrast to the dark and to the light text is equal here."""

Rgb = tuple[int, int, int]


def class_colour(class_id: int) -> str:
    """Hexadecimal colour of a class; colours repeat after the eighth."""
    return CLASS_COLOURS[class_id % len(CLASS_COLOURS)]


def class_colours(class_ids: Sequence[int]) -> tuple[str, ...]:
    """Hexadecimal colour of each class."""
    return tuple(class_colour(class_id) for class_id in class_ids)


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

"""The course of a recording as a line of text height."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from markupsafe import Markup

from etram_pipeline.quality.job import RecordingQuality

WIDTH, HEIGHT = 240, 38
"""Size of the drawing, in its own units."""

_MAX_POINTS = 120
"""More would not be seen, and would weigh down a page of many recordings."""
_FLOOR = 29.0
_LABEL_TOP, _LABEL_HEIGHT = 32.5, 4.0


@dataclass(frozen=True)
class Course:
    """A recording over time, in parts of equal length.

    Attributes:
        rates_hz: Events per second in each part.
        moments: Labelled moments in each part.
    """

    rates_hz: Float64[np.ndarray, " P"]
    moments: Int64[np.ndarray, " P"]

    @property
    def peak_hz(self) -> float:
        """Highest rate of a part."""
        return float(self.rates_hz.max(initial=0.0))


def course(quality: RecordingQuality) -> Course:
    """The course of a recording in at most 120 parts."""
    events = quality.events
    num_bins = len(events.events_of_bin)
    if num_bins == 0:
        return Course(np.zeros(0), np.zeros(0, np.int64))
    joined = -(-num_bins // _MAX_POINTS)
    starts = np.arange(0, num_bins, joined)
    part_us = joined * events.bin_us
    # The recording ends within its last part; a short one says little of the rate.
    last_us = max(events.duration_us - int(starts[-1]) * events.bin_us, 1)
    if len(starts) > 1 and last_us < part_us / 4:
        starts = starts[:-1]
        last_us += part_us
    lengths_us = np.full(len(starts), part_us, np.float64)
    lengths_us[-1] = last_us
    counts = np.add.reduceat(np.array(events.events_of_bin, np.int64), starts)
    moments = np.add.reduceat(np.array(quality.moments_of_bin, np.int64), starts)
    return Course(1e6 * counts / lengths_us, moments)


def draw(shown: Course, description: str) -> Markup:
    """The course as an `<svg>`: rates as an area, parts without events behind it, labels below.

    Args:
        shown: What to draw.
        description: Its alternative in words.
    """
    num_parts = len(shown.rates_hz)
    step = WIDTH / max(num_parts, 1)
    heights = _FLOOR - (_FLOOR - 2) * shown.rates_hz / max(shown.peak_hz, 1e-9)
    line = "".join(
        f"L{part * step:.1f} {height:.1f}H{(part + 1) * step:.1f}"
        for part, height in enumerate(heights.tolist())
    )
    silent = _runs(shown.rates_hz == 0, step, 0.0, _FLOOR)
    labelled = _runs(_closed(shown.moments > 0), step, _LABEL_TOP, _LABEL_HEIGHT)
    return Markup(
        '<svg class="spark" viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img" '
        'aria-label="{description}"><title>{description}</title><path class="silent" '
        'd="{silent}"/><path class="rate" d="M0 {floor}{line}V{floor}Z"/>'
        '<path class="labelled" d="{labelled}"/></svg>'
    ).format(
        width=WIDTH,
        height=HEIGHT,
        description=description,
        silent=silent,
        floor=f"{_FLOOR:g}",
        line=line,
        labelled=labelled,
    )


def _closed(chosen: Bool[np.ndarray, " P"]) -> Bool[np.ndarray, " P"]:
    """Chosen parts and single ones between them, which labels at a low rate skip."""
    between = np.zeros_like(chosen)
    between[1:-1] = chosen[:-2] & chosen[2:]
    return np.asarray(chosen | between)


def _runs(chosen: Bool[np.ndarray, " P"], step: float, top: float, height: float) -> str:
    """Path of a rectangle for every run of chosen parts."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(np.int8), [0]])))
    return "".join(
        f"M{first * step:.1f} {top:g}H{last * step:.1f}v{height:g}H{first * step:.1f}z"
        for first, last in edges.reshape(-1, 2).tolist()
    )

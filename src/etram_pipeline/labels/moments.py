"""Which labelled moments of a recording are frames, and why the others are not."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.component import Settings
from etram_pipeline.core.errors import LabelError
from etram_pipeline.labels.settings import LabelSettings

SLACK_US = 100_000
"""A label so shortly before the first event or after the last may still belong to the recording."""

MOST_MOMENTS = 10**7
"""Most labelled frames of a recording, so that one wrong time does not fill memory."""

Times = Int64[np.ndarray, " _"]


class LeftOut(Settings):
    """Number of labelled moments that are no frame, by the reason.

    Attributes:
        filtered: All their boxes were dropped by filters.
        early: Before `labels.first_frame_ms`.
        outside: More than 100 ms before the first event of the recording or after the last one.
        too_close: Less than `labels.frame_interval_ms` after the previous frame.
        off_grid: Those that would be frames if frames need not lie on a regular grid.
    """

    filtered: int = 0
    early: int = 0
    outside: int = 0
    too_close: int = 0
    off_grid: int = 0

    @property
    def total(self) -> int:
        """Moments left out for any reason."""
        return sum(self.model_dump().values())

    def __add__(self, other: "LeftOut") -> "LeftOut":
        mine, theirs = self.model_dump(), other.model_dump()
        return LeftOut(**{reason: mine[reason] + theirs[reason] for reason in mine})

    def __str__(self) -> str:
        counts = self.model_dump()
        return ", ".join(f"{counts[key]:,} {text}" for key, text in _REASONS.items() if counts[key])


NOTHING_LEFT_OUT = LeftOut()

_REASONS = {
    "filtered": "without a box after the filters",
    "early": "before labels.first_frame_ms",
    "outside": "outside the recording",
    "too_close": "too soon after another frame",
    "off_grid": "off the grid of labels.frame_interval_ms",
}


@dataclass(frozen=True)
class Moments:
    """Moments of a recording that are labelled frames.

    Attributes:
        times_us: Time of each frame, in microseconds; ascending.
        interval_us: Regular distance of frames, in microseconds; gaps are multiples of it. 0 if
            frames are irregular.
        left_out: Numbers of the other moments.
    """

    times_us: Times
    interval_us: int
    left_out: LeftOut = NOTHING_LEFT_OUT


def choose_moments(
    moments_us: Times, settings: LabelSettings, span_us: tuple[int, int] | None = None
) -> Moments:
    """The moments that become labelled frames.

    The first frame is the first moment that `first_frame_ms` allows.

    Args:
        moments_us: Distinct times of labels, ascending, in microseconds.
        settings: How frames are chosen.
        span_us: Times of the recording's first and last event, in microseconds; None: the labels
            are not compared with the recording, as in the reference.
    """
    late_us = moments_us[moments_us >= 1000 * settings.first_frame_ms]
    num_early = len(moments_us) - len(late_us)
    inside_us = late_us if span_us is None else _within(late_us, span_us)
    num_outside = len(late_us) - len(inside_us)
    if not len(inside_us):
        return Moments(inside_us, 0, LeftOut(early=num_early, outside=num_outside))
    if settings.frames == "grid":
        # As in the reference, early moments count for the distance of labels.
        interval_us = _grid_interval_us(moments_us, settings)
        times_us = on_grid(inside_us, interval_us, settings.tolerance_us)
        spaced_us = apart(inside_us, interval_us - settings.tolerance_us)
        num_off_grid = max(len(spaced_us) - len(times_us), 0)
    else:
        least_us = 1000 * (settings.frame_interval_ms or 0)
        times_us = apart(inside_us, least_us - settings.tolerance_us)
        interval_us = _regular_interval_us(times_us, settings.tolerance_us, least_us)
        num_off_grid = 0
    left_out = LeftOut(
        early=num_early,
        outside=num_outside,
        too_close=len(inside_us) - len(times_us) - num_off_grid,
        off_grid=num_off_grid,
    )
    return Moments(times_us, interval_us, left_out)


def fill_gaps(moments_us: Times) -> Times:
    """The moments, and those that their median distance leaves empty between them.

    Gaps are taken for multiples of the median distance and divided equally.

    Raises:
        LabelError: If there are more than `MOST_MOMENTS`.
    """
    if len(moments_us) <= 1:
        return moments_us
    gaps_us = np.diff(moments_us)
    distance_us = max(int(np.median(gaps_us)), 1)
    num_steps = np.rint(gaps_us / distance_us).astype(np.int64).clip(1)
    if num_steps.sum() > MOST_MOMENTS:
        raise LabelError(
            f"{num_steps.sum()} moments, {distance_us} us apart, would be labelled frames from "
            f"{moments_us[0]} to {moments_us[-1]} us, but a recording may have at most "
            f"{MOST_MOMENTS}: correct the label with a wrong time, or set `labels.empty_frames` to "
            "`none` or `listed`"
        )
    from_us, gap_us, of = (
        np.repeat(each, num_steps) for each in (moments_us[:-1], gaps_us, num_steps)
    )
    step = np.arange(num_steps.sum()) - np.repeat(np.cumsum(num_steps) - num_steps, num_steps) + 1
    filled_us = np.rint(from_us + gap_us * step / of).astype(np.int64)
    return np.concatenate([moments_us[:1], filled_us])


def apart(moments_us: Times, least_us: int) -> Times:
    """The first moment, and each that follows the last one taken by at least `least_us`."""
    if least_us <= 0:
        return moments_us
    taken, next_us = [], np.iinfo(np.int64).min
    for time_us in moments_us.tolist():
        if time_us >= next_us:
            taken.append(time_us)
            next_us = time_us + least_us
    return np.array(taken, np.int64)


def on_grid(moments_us: Times, interval_us: int, tolerance_us: int) -> Times:
    """Moments at multiples of an interval, within a tolerance.

    The first moment is one. Another follows at every moment that lies a multiple of the interval
    after the previous one. Drift of a clock therefore does not accumulate.

    Source: RVT, `scripts/genx/preprocess_dataset.py`, `labels_and_ev_repr_timestamps`.
    """
    times_us = moments_us[:1].tolist()
    for time_us in moments_us[1:].tolist():
        elapsed_us = time_us - times_us[-1]
        num_intervals = round(elapsed_us / interval_us)
        is_near = abs(elapsed_us - num_intervals * interval_us) <= tolerance_us
        if is_near and num_intervals > 0:
            times_us.append(time_us)
    return np.array(times_us, np.int64)


def _within(moments_us: Times, span_us: tuple[int, int]) -> Times:
    first_us, last_us = span_us[0] - SLACK_US, span_us[1] + SLACK_US
    return moments_us[(moments_us >= first_us) & (moments_us <= last_us)]


def _grid_interval_us(moments_us: Times, settings: LabelSettings) -> int:
    """Multiple of the labels' distance nearest to the wanted one: 3 at 30 Hz, 6 at 60 Hz."""
    wanted_us = 1000 * (settings.frame_interval_ms or 0)
    if len(moments_us) == 1:
        return wanted_us
    stated_us = 1000 * (settings.label_interval_ms or 0)
    distance_us = stated_us or float(np.median(np.diff(moments_us)))
    return int(max(1, round(wanted_us / distance_us)) * distance_us)


def _regular_interval_us(times_us: Times, tolerance_us: int, default_us: int) -> int:
    """The median distance, if all distances are multiples of it within the tolerance; else 0."""
    if len(times_us) == 1:
        return default_us
    gaps_us = np.diff(times_us)
    interval_us = int(np.median(gaps_us))
    if interval_us <= 2 * tolerance_us + 1:  # every distance is near a multiple of it
        return 0
    num_intervals = np.rint(gaps_us / interval_us).clip(1)
    deviation_us = np.abs(gaps_us - num_intervals * interval_us)
    return interval_us if deviation_us.max() <= tolerance_us else 0

"""Figures of traffic over time."""

import math
from datetime import datetime, timedelta

import numpy as np
from jaxtyping import Float64, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

from etram_pipeline.core.counts import counted
from etram_pipeline.drawing import palette
from etram_pipeline.reports.figure_style import add_legend, new_figure, show_from_zero
from etram_pipeline.traffic.counting import Traffic

_STEPS_S = (
    *(0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
    *(60.0 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3600.0 * hours for hours in (1, 2, 4, 6, 12, 24)),
)
"""Steps of time that people count in."""

_MOST_BARS, _MOST_TICKS, _MOST_POINTS, _MOST_LINES, _MOST_ZONES = 60, 6, 600, 12, 6
_KM_H = 3.6
_SECONDS_PER_MINUTE, _SECONDS_PER_DAY = 60, 86_400


def draw_line_counts(traffic: Traffic) -> dict[str, Figure]:
    """Crossings over time, one figure per line; of many lines, those crossed most."""
    found, lines = traffic.crossings, traffic.site.lines
    num = {name: int((found["line"] == name).sum()) for name in lines}
    shown = sorted(filter(num.get, lines), key=lambda name: -num[name])[:_MOST_LINES]
    return {name: _draw_line(traffic, name) for name in lines if name in shown}


def draw_queues(traffic: Traffic) -> Figure | None:
    """Waiting road users in each zone over time; None if nobody waits."""
    zones, seconds_us = list(traffic.site.zones), traffic.seconds_us
    if not len(traffic.queued):
        return None
    joined = -(-len(seconds_us) // _MOST_POINTS)
    what = "largest number of slow road users" if joined > 1 else "number of slow road users"
    about = f"{what} per {counted(joined, 'second')}"
    figure, (axes,) = new_figure("Waiting in zones", about, height_in=3.0)
    axes.grid(axis="y", color=palette.LINE, linewidth=0.8)
    starts = np.arange(0, len(seconds_us), joined)
    numbers = {name: _waiting(traffic, name) for name in zones}
    shown = sorted(zones, key=lambda name: -numbers[name].sum())[:_MOST_ZONES]
    for place, name in enumerate(shown):
        axes.step(
            _seconds(traffic, seconds_us[starts]),
            np.maximum.reduceat(numbers[name], starts),
            where="post",
            color=palette.SERIES[place],
            linewidth=1.8,
            label=name,
        )
    show_from_zero(axes, [2.0, *(float(numbers[name].max()) for name in shown)], headroom=0.08)
    axes.yaxis.set_major_locator(MultipleLocator(_count_step(axes.get_ylim()[1])))
    _show_time(axes, traffic)
    add_legend(axes, columns=3)
    return figure


def draw_speeds(traffic: Traffic) -> Figure | None:
    """How fast road users cross lines; None if no speed is known."""
    speeds = _KM_H * traffic.crossings["speed_m_s"].astype(np.float64)
    speeds = speeds[np.isfinite(speeds)]
    if not len(speeds):
        return None
    step = 5 if speeds.max() > 20 else 1  # noqa: PLR2004  # as fast as a bicycle
    if speeds.max() > _MOST_BARS * step:  # ground points in other units than metres, perhaps
        step = _count_step(speeds.max() * _MOST_TICKS / _MOST_BARS)
    about = f"{counted(len(speeds), 'crossing')} with a known speed, by steps of {step} km/h"
    figure, (axes,) = new_figure("Speeds at lines", about, height_in=3.0)
    axes.grid(axis="y", color=palette.LINE, linewidth=0.8)
    edges = np.arange(0, speeds.max() + step, step)
    axes.hist(speeds, bins=edges.tolist(), color=palette.ACCENT, rwidth=0.92)
    axes.set(xlabel="km/h", ylabel="crossings")
    return figure


def _draw_line(traffic: Traffic, name: str) -> Figure:
    found, line = traffic.crossings, traffic.site.lines[name]
    observed = traffic.observed
    times_s = _seconds(traffic, found["t"])
    start, stop = _seconds(traffic, np.array([observed.start_us, observed.stop_us])).tolist()
    step = _time_step(stop - start, _MOST_BARS)
    edges = np.arange(math.floor(start / step), math.ceil(stop / step) + 1) * step
    about = f"per {_duration(step)}; {line.forward} upwards, {line.backward} downwards"
    figure, (axes,) = new_figure(name, about, height_in=2.3)
    axes.grid(axis="y", color=palette.LINE, linewidth=0.8)
    largest = 1
    for direction, sign, colour in (
        (line.forward, 1, palette.SERIES[0]),
        (line.backward, -1, palette.SERIES[1]),
    ):
        own = (found["line"] == name) & (found["direction"] == direction)
        counts, _ = np.histogram(times_s[own], edges)
        axes.bar(
            edges[:-1], sign * counts, width=0.9 * step, align="edge", color=colour, label=direction
        )
        largest = max(largest, int(counts.max(initial=0)))
    axes.axhline(0, color=palette.MUTED, linewidth=0.8)
    axes.set_ylim(-1.1 * largest, 1.1 * largest)
    axes.yaxis.set_major_locator(MultipleLocator(_count_step(2.2 * largest)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):.0f}"))
    _show_time(axes, traffic)
    return figure


def _waiting(traffic: Traffic, zone: str) -> Int64[np.ndarray, " S"]:
    """Number of slow road users in a zone at each second."""
    place = list(traffic.site.zones).index(zone)
    queued = traffic.queued[traffic.queued["zone"] == place]
    second = np.searchsorted(traffic.seconds_us, queued["t"])
    return np.bincount(second, minlength=len(traffic.seconds_us))


def _seconds(traffic: Traffic, times_us: Int64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
    """Seconds since midnight, or since the start of the clock of a recording without one."""
    return times_us / 1e6 + _zero_s(traffic.clock)


def _zero_s(clock: datetime | None) -> float:
    if clock is None:
        return 0.0
    midnight = clock.replace(hour=0, minute=0, second=0, microsecond=0)
    return (clock - midnight) / timedelta(seconds=1)


def _show_time(axes: Axes, traffic: Traffic) -> None:
    observed = traffic.observed
    start, stop = _seconds(traffic, np.array([observed.start_us, observed.stop_us])).tolist()
    stop = max(stop, start + 1)
    step = _time_step(stop - start, _MOST_TICKS)
    axes.set_xlim(start, stop)
    axes.xaxis.set_major_locator(MultipleLocator(step))
    if traffic.clock is not None:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _clock_text(value, step)))
        axes.set_xlabel("clock time")
    elif stop - start > 10 * _SECONDS_PER_MINUTE:
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value / _SECONDS_PER_MINUTE:g}")
        )
        axes.set_xlabel("minutes")
    else:
        axes.set_xlabel("seconds")


def _clock_text(seconds: float, step: float) -> str:
    whole = round(seconds) % _SECONDS_PER_DAY
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours:02}:{minutes:02}" + (f":{rest:02}" if step < _SECONDS_PER_MINUTE else "")


def _time_step(span: float, most: int) -> float:
    """The least step that people count time in and that divides a span into few parts."""
    return next((step for step in _STEPS_S if span / step <= most), _STEPS_S[-1])


def _count_step(largest: float) -> int:
    """A round number that divides the extent of an axis of counts into few parts."""
    power: int = 10 ** max(0, math.floor(math.log10(max(largest, 1))) - 1)
    steps = [factor * power for factor in (1, 2, 5, 10, 20, 50, 100)]
    return next(step for step in steps if largest / step <= _MOST_TICKS)


def _duration(seconds: float) -> str:
    if seconds >= 3600:  # noqa: PLR2004  # an hour
        return f"{seconds / 3600:g} h"
    if seconds >= _SECONDS_PER_MINUTE:
        return f"{seconds / _SECONDS_PER_MINUTE:g} min"
    return f"{seconds:g} s"

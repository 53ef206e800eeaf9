"""Figures of a search."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from etram_pipeline.drawing import palette
from etram_pipeline.experiments.definition import SearchLimit
from etram_pipeline.experiments.trials.trial import Trial, front
from etram_pipeline.reports.figure_style import add_legend, new_figure
from etram_pipeline.training.monitor import Monitor

_BAR_IN, _FRAME_IN = 0.34, 1.25
_AT_THE_BOTTOM = 0.03


def draw_scores(trials: Sequence[Trial], monitor: Monitor) -> Figure | None:
    """Score of each trial and the best so far; None without scores."""
    scored = [(trial, score) for trial in trials if (score := trial.best(monitor)) is not None]
    finished = [(trial.number, score) for trial, score in scored if trial.state == "finished"]
    if not finished:
        return None
    figure, (axes,) = new_figure("Scores of the trials", monitor.name, height_in=3.6)
    axes.grid(color=palette.LINE, linewidth=0.8)
    choose = max if monitor.mode == "max" else min
    numbers = [number for number, _ in finished]
    best = [choose(score for _, score in finished[: place + 1]) for place in range(len(finished))]
    axes.step(numbers, best, where="post", color=palette.ACCENT, linewidth=2, label="best so far")
    axes.plot(*zip(*finished, strict=True), "o", color=palette.ACCENT, label="finished")
    pruned = [(trial.number, score) for trial, score in scored if trial.state == "pruned"]
    if pruned:
        axes.plot(*zip(*pruned, strict=True), "x", color=palette.MUTED, label="stopped early")
    axes.set(xlabel="trial", ylabel="best validation score")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    add_legend(axes, columns=3)
    return figure


def draw_front(
    trials: Sequence[Trial], monitor: Monitor, limit: SearchLimit | None
) -> Figure | None:
    """Score of each trial against its time per window; None without a finished trial with a time.

    The line is the best score within each time. Trials that were too slow to be trained have no
    score, so they stand at the bottom.
    """
    best = front(trials, monitor)
    if not best:
        return None
    figure, (axes,) = new_figure(
        "Score against time",
        f"{monitor.name} · horizontal lines: the middle half of the windows",
        height_in=4.0,
    )
    axes.grid(color=palette.LINE, linewidth=0.8)
    others = [trial for trial in trials if trial.state == "finished" and trial not in best]
    stopped = [trial for trial in trials if trial.state == "pruned"]
    _points(axes, best, monitor, "o", palette.ACCENT, "best within its time")
    _points(axes, others, monitor, "o", palette.MUTED, "other trials")
    _points(axes, stopped, monitor, "x", palette.MUTED, "stopped early")
    _draw_slow(axes, [trial for trial in trials if trial.state == "slow"])
    if limit is not None:
        axes.axvline(
            limit.ms_per_window, color=palette.INK, linestyle=":", linewidth=1.2, label="limit"
        )
    _draw_steps(axes, best, monitor)
    axes.set(xlabel="processor time per window [ms]", ylabel="best validation score")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    add_legend(axes, columns=3, below=True)
    return figure


def _points(
    axes: Axes, trials: Sequence[Trial], monitor: Monitor, marker: str, color: str, label: str
) -> None:
    found = [
        (trial, trial.cost, score)
        for trial in trials
        if trial.cost and (score := trial.best(monitor)) is not None
    ]
    for place, (trial, cost, score) in enumerate(found):
        axes.plot(cost.quartiles_ms, (score, score), color=color, linewidth=1)
        at = (cost.ms_per_window, score)
        axes.plot(*at, marker, color=color, label=None if place else label)
        axes.annotate(
            str(trial.number), at, (4, 4), textcoords="offset points", fontsize=8, color=color
        )


def _draw_slow(axes: Axes, trials: Sequence[Trial]) -> None:
    """Trials without a score, at the bottom."""
    label: str | None = "too slow, not trained"
    for trial, cost in ((trial, trial.cost) for trial in trials if trial.cost):
        at = (cost.ms_per_window, _AT_THE_BOTTOM)
        places = axes.get_xaxis_transform()
        color = palette.MUTED
        axes.plot(*at, "^", transform=places, color=color, markerfacecolor="none", label=label)
        axes.annotate(
            str(trial.number),
            at,
            (4, 4),
            xycoords=places,
            textcoords="offset points",
            fontsize=8,
            color=color,
        )
        label = None


def _draw_steps(axes: Axes, best: Sequence[Trial], monitor: Monitor) -> None:
    """The best score within each time, up to the edge of the figure."""
    points = [(each.cost.ms_per_window, each.best(monitor)) for each in best if each.cost]
    right = max(axes.get_xlim()[1], points[-1][0])
    steps = [*points, (right, points[-1][1])]
    axes.plot(
        *zip(*steps, strict=True), drawstyle="steps-post", color=palette.ACCENT, linewidth=1.4
    )
    axes.set_xlim(right=right)


def draw_importance(shares: Mapping[str, float], num_trials: int) -> Figure | None:
    """Share of each parameter in the differences between scores; None without any."""
    if not shares:
        return None
    height = _FRAME_IN + _BAR_IN * len(shares)
    figure, (axes,) = new_figure(
        "Importance of the parameters",
        f"share in the variance of the score, by functional ANOVA of {num_trials} trials",
        height_in=height,
    )
    names = list(shares)[::-1]
    values = [shares[name] for name in names]
    bars = axes.barh(names, values, height=0.6, color=palette.ACCENT)
    axes.bar_label(bars, fmt="%.2f", padding=4, fontsize=8.5, color=palette.INK)
    axes.set_xlim(0, 1.1)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    return figure

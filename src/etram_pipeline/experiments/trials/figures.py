"""Figures of a search."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from etram_pipeline.drawing import palette
from etram_pipeline.experiments.trials.trial import Trial
from etram_pipeline.reports.figure_style import add_legend, new_figure
from etram_pipeline.training.monitor import Monitor

_BAR_IN, _FRAME_IN = 0.34, 1.25


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

"""Figures of how a training went, from its saved history."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from etram_pipeline.reports import palette
from etram_pipeline.reports.figure_style import add_legend, new_figure

History = Sequence[Mapping[str, object]]
"""Rows `step`, `name`, `value`, in the order they were logged."""

_SMOOTHED_OVER = 25
"""The running mean reaches over this part of all steps to either side."""

_MAX_POINTS = 600
"""Points of a line; more would not be seen, and would weigh down the page."""


def draw_losses(history: History) -> Figure | None:
    """Each training loss over the steps, raw and smoothed; None without any."""
    losses = {
        _loss_title(name): curve for name, curve in _curves(history).items() if _is_loss(name)
    }
    if not losses:
        return None
    figure, (axes,) = new_figure(
        "Training losses", "each step (faint) and running mean", height_in=3.6
    )
    axes.grid(color=palette.LINE, linewidth=0.8)
    for number, (name, curve) in enumerate(losses.items()):
        steps, values = curve.T
        colour = palette.SERIES[number % len(palette.SERIES)]
        shown = slice(None, None, -(-len(steps) // _MAX_POINTS))
        means = _running_mean(values)
        axes.plot(steps[shown], values[shown], color=colour, alpha=0.22, linewidth=1)
        axes.plot(steps[shown], means[shown], color=colour, linewidth=2, label=name)
    everything = np.concatenate([curve[:, 1] for curve in losses.values()])
    if everything.min() > 0 and everything.max() > 30 * everything.min():
        axes.set_yscale("log")
    axes.set(xlabel="training step", ylabel="loss")
    add_legend(axes, columns=4)
    return figure


def draw_validation(history: History) -> Figure | None:
    """AP on the validation recordings over the steps; None without any."""
    scores = {name: curve for name, curve in _curves(history).items() if _is_validation_score(name)}
    if not scores:
        return None
    protocols = sorted({name.removeprefix("val/").rpartition("/")[0] for name in scores})
    about = " · ".join([*filter(None, protocols), "best of each circled"])
    figure, (axes,) = new_figure("Validation while training", about, height_in=3.6)
    axes.grid(color=palette.LINE, linewidth=0.8)
    for number, (name, curve) in enumerate(scores.items()):
        steps, values = curve.T
        colour = palette.SERIES[number % len(palette.SERIES)]
        best = int(values.argmax())
        label = f"{name.rpartition('/')[2].replace('_', '')}  {values[best]:.2f}"
        axes.plot(steps, values, "o-", color=colour, linewidth=2, markersize=3.5, label=label)
        axes.plot(steps[best], values[best], "o", markersize=9, color=colour, fillstyle="none")
    axes.set(xlabel="training step", ylabel="average precision", ylim=(0, 1.02))
    add_legend(axes, columns=3)
    return figure


def _curves(history: History) -> dict[str, Float[np.ndarray, "N 2"]]:
    """Steps and values of each name; what is not finite is left out."""
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in history:
        step, value = float(str(row["step"])), float(str(row["value"]))
        if math.isfinite(value):
            points[str(row["name"])].append((step, value))
    return {name: np.array(sorted(curve)) for name, curve in points.items()}


def _is_loss(name: str) -> bool:
    stage, _, quantity = name.partition("/")
    return stage == "train" and not quantity.startswith(("num_", "learning_rate"))


def _loss_title(name: str) -> str:
    quantity = name.removeprefix("train/")
    return "total" if quantity == "loss" else quantity.replace("_", " ")


def _is_validation_score(name: str) -> bool:
    stage, *_, quantity = name.split("/")
    return stage == "val" and quantity in {"AP", "AP_50", "AP_75"}


def _running_mean(values: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """Mean over a window centred at each value, cut at both ends."""
    reach = max(1, len(values) // _SMOOTHED_OVER)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first, last = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(values))
    means: Float[np.ndarray, " N"] = (sums[last] - sums[first]) / (last - first)
    return means

"""Figures of the course of a training, from its saved history."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from etram_pipeline.drawing import palette
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.reports.figure_style import add_legend, new_figure, show_from_zero

HistoryRows = Sequence[Mapping[str, object]]
"""Rows `step`, `name`, `value`, in the order they were logged."""

_SMOOTHED_OVER = 25
"""The running mean covers one in this many of all points to either side."""

_MAX_POINTS = 600
"""Points of a line; more would not be visible and would only make the page larger."""


def draw_losses(history: HistoryRows) -> Figure | None:
    """Every training loss over the steps, raw and smoothed; None without any."""
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


def draw_validation(history: HistoryRows, protocol: Protocol) -> Figure | None:
    """Values of the validation recordings over the steps; None without any.

    Args:
        history: The whole course of a training.
        protocol: Protocol of the validations; its metrics name the values shown.
    """
    shown = {value.name: value for value in protocol.shown("training")}
    scores = {name: curve for name, curve in _curves(history).items() if _score(name) in shown}
    if not scores:
        return None
    protocols = sorted({name.removeprefix("val/").rpartition("/")[0] for name in scores})
    about = " · ".join([*filter(None, protocols), "best of each circled"])
    figure, (axes,) = new_figure("Validation while training", about, height_in=3.6)
    axes.grid(color=palette.LINE, linewidth=0.8)
    for number, (name, curve) in enumerate(scores.items()):
        steps, values = curve.T
        colour = palette.SERIES[number % len(palette.SERIES)]
        value = shown[_score(name)]
        best = int(values.argmax() if value.higher_is_better else values.argmin())
        label = f"{value.title}  {values[best]:.2f}"
        axes.plot(steps, values, "o-", color=colour, linewidth=2, markersize=3.5, label=label)
        axes.plot(steps[best], values[best], "o", markersize=9, color=colour, fillstyle="none")
    axes.set(xlabel="training step", ylabel=protocol.metrics[0].title)
    show_from_zero(axes, [value for curve in scores.values() for value in curve[:, 1].tolist()])
    add_legend(axes, columns=3)
    return figure


def _curves(history: HistoryRows) -> dict[str, Float[np.ndarray, "N 2"]]:
    """Steps and values of each name, without those that are not finite."""
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


def _score(name: str) -> str:
    """Name of the value of a validation; empty for anything else that was logged."""
    stage, *_, value = name.split("/")
    return value if stage == "val" else ""


def _running_mean(values: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """Mean over a window centred at each value, cut at both ends."""
    reach = max(1, len(values) // _SMOOTHED_OVER)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first, last = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(values))
    means: Float[np.ndarray, " N"] = (sums[last] - sums[first]) / (last - first)
    return means

"""Curves of the trainings of an experiment, one line for each seed."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from etram_pipeline.core.counts import counted
from etram_pipeline.drawing import palette
from etram_pipeline.experiments.results import Curve
from etram_pipeline.reports.figure_style import add_legend, new_figure


def draw_trainings(curves: Mapping[str, Mapping[int, Curve]], name: str) -> Figure:
    """The curves of each metric, side by side.

    Args:
        curves: Points by metric and seed; at least one metric.
        name: Name of the experiment.
    """
    num_seeds = len({seed for of_seeds in curves.values() for seed in of_seeds})
    figure, panels = new_figure(
        f"Training of {name}", counted(num_seeds, "seed"), height_in=3.4, num_axes=len(curves)
    )
    for axes, (metric, of_seeds) in zip(panels, curves.items(), strict=True):
        axes.grid(color=palette.LINE, linewidth=0.8)
        for number, (seed, curve) in enumerate(sorted(of_seeds.items())):
            steps, values = zip(*curve, strict=True)
            colour = palette.SERIES[number % len(palette.SERIES)]
            marker = "o" if len(curve) == 1 else None
            axes.plot(
                steps, values, color=colour, linewidth=1.5, marker=marker, label=f"seed {seed}"
            )
        axes.set(xlabel="training step", ylabel=metric)
    add_legend(panels[-1], columns=3)
    return figure

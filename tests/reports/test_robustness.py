"""Figure of scores on changed recordings."""

from collections.abc import Callable

import numpy as np
import pytest

from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.reports.figure_style import figure_svg
from etram_pipeline.reports.robustness import draw_robustness
from etram_pipeline.robustness.scores import Estimate, Relative, RobustnessScore

Make = Callable[..., Metrics]


def score(metrics: Metrics, change: str, severity: float, ratio: Estimate) -> RobustnessScore:
    other = Estimate(0.5)
    values = {"AP": Relative(other, other, ratio, other)}
    return RobustnessScore(change, severity, "percent", f"{severity:g}_percent", values, metrics)


def test_each_change_is_a_panel_with_its_severities_in_order(make_metrics: Make) -> None:
    metrics = make_metrics()
    scores = [
        score(metrics, "drop", 90.0, Estimate(0.2, 0.1, 0.4)),
        score(metrics, "drop", 50.0, Estimate(0.8, 0.7, 0.9)),
        *(score(metrics, f"other_{number}", 10.0, Estimate(1.0)) for number in range(3)),
    ]
    figure = draw_robustness(scores, "AP")
    assert [axes.get_title("left") for axes in figure.axes] == [
        *("drop", "other 0", "other 1", "other 2"),
    ]
    axes = figure.axes[0]
    _, line = axes.lines  # the first is at 1
    assert line.get_ydata() == pytest.approx([0.8, 0.2])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["50", "90"]
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    assert isinstance(corners, np.ndarray)
    assert {0.1, 0.4, 0.7, 0.9} <= set(np.round(corners[:, 1], 6).tolist())
    assert "AP relative to unchanged recordings" in figure_svg(figure)


def test_values_above_the_usual_are_within_the_panel(make_metrics: Make) -> None:
    figure = draw_robustness([score(make_metrics(), "drop", 50.0, Estimate(1.7, 1.2, 2.1))], "AP")
    assert figure.axes[0].get_ylim()[1] > 2.1

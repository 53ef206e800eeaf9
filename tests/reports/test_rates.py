"""Figures of scores by rate and by latency."""

from collections.abc import Callable

import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

from etram_pipeline.deployment.rate_scores import LatencyScore, RateScore
from etram_pipeline.evaluation.result import Interval, Metrics
from etram_pipeline.inference.rates import WindowLength
from etram_pipeline.reports.figure_style import figure_svg
from etram_pipeline.reports.rates import draw_latencies, draw_rates

Make = Callable[..., Metrics]

VALUES: dict[WindowLength, tuple[float, float]] = {"step": (0.5, 0.2), "trained": (0.5, 0.6)}
"""AP at 100 and at 20 windows a second."""


def with_ap(make_metrics: Make, value: float, half: float | None = 0.1) -> Metrics:
    """Metrics with an AP and an interval of that half width; None: without one."""
    ends = {"AP": Interval(value=value, low=value - half, high=value + half)} if half else {}
    metrics = make_metrics()
    return metrics.model_copy(
        update={"overall": metrics.overall | {"AP": value}, "intervals": ends}
    )


def bars(axes: Axes) -> list[ErrorbarContainer]:
    """The lines with their intervals."""
    return [each for each in axes.containers if isinstance(each, ErrorbarContainer)]


def test_each_length_of_windows_is_a_line_with_its_intervals(make_metrics: Make) -> None:
    scores = [
        RateScore(rate, length, 50, with_ap(make_metrics, value))
        for length, values in VALUES.items()
        for rate, value in zip((100, 20), values, strict=True)
    ]
    figure = draw_rates(scores)
    (axes,) = figure.axes
    lines = bars(axes)
    assert [line.get_label() for line in lines] == [
        "windows as long as their step",
        "windows as long as in training",
    ]
    drawn = lines[0].lines[0]
    assert drawn.get_ydata() == pytest.approx([0.2, 0.5])  # in order of the rates
    assert drawn.get_xdata() == pytest.approx([20, 100], rel=0.02)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["20", "100"]
    assert "AP by windows per second" in figure_svg(figure)
    assert "bars: 95 % intervals over recordings" in figure_svg(figure)


def test_latencies_are_drawn_in_order_also_without_intervals(make_metrics: Make) -> None:
    scores = [
        LatencyScore(latency, latency, 1.0, with_ap(make_metrics, value, None))
        for latency, value in ((100.0, 0.2), (0.0, 0.6))
    ]
    figure = draw_latencies(scores, "mine")
    (axes,) = figure.axes
    drawn = bars(axes)[0].lines[0]
    assert drawn.get_xdata() == pytest.approx([0, 100])
    assert drawn.get_ydata() == pytest.approx([0.6, 0.2])
    text = figure_svg(figure)
    assert "mine · 1,200 labels in 300 frames of test" in text
    assert "intervals" not in text

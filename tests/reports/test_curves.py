"""Curves of a training."""

import numpy as np
from matplotlib.figure import Figure

from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.reports.curves import draw_losses, draw_validation
from etram_pipeline.reports.figure_style import figure_svg


def _row(step: int, name: str, value: object) -> dict[str, object]:
    return {"step": step, "name": name, "value": value}


def _legend(figure: Figure | None) -> list[str]:
    assert figure is not None
    legend = figure.axes[0].get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_losses_are_drawn_and_counts_and_rates_are_not() -> None:
    history = [
        _row(1, "train/loss", 3.0),
        _row(1, "train/objectness", 2.0),
        _row(1, "train/num_foreground", 70.0),
        _row(1, "train/learning_rate", 1e-3),
        _row(1, "val/mine/AP", 0.2),
    ]
    assert _legend(draw_losses(history)) == ["total", "objectness"]


def test_training_without_losses_has_no_curve() -> None:
    assert draw_losses([]) is None
    assert draw_validation([_row(1, "train/loss", 1.0)], Protocol(name="mine")) is None


def test_steps_are_drawn_in_order_and_what_is_not_finite_is_left_out() -> None:
    history = [_row(2, "train/loss", 1), _row(3, "train/loss", "nan"), _row(1, "train/loss", "4")]
    figure = draw_losses(history)
    assert figure is not None
    assert np.asarray(figure.axes[0].lines[0].get_xydata()).tolist() == [[1, 4], [2, 1]]


def test_running_mean_keeps_a_constant_and_halves_a_jump() -> None:
    constant = draw_losses([_row(step, "train/loss", 5) for step in range(100)])
    assert constant is not None
    assert np.allclose(np.asarray(constant.axes[0].lines[1].get_ydata()), 5)
    jump = draw_losses([_row(step, "train/loss", 1 + (step >= 50)) for step in range(101)])
    assert jump is not None
    assert 1.4 < np.asarray(jump.axes[0].lines[1].get_ydata())[50] < 1.7


def test_losses_over_two_orders_of_magnitude_get_a_logarithmic_axis() -> None:
    wide = draw_losses([_row(1, "train/loss", 100), _row(2, "train/loss", 0.5)])
    narrow = draw_losses([_row(1, "train/loss", 1), _row(2, "train/loss", 0.5)])
    assert wide is not None
    assert narrow is not None
    assert (wide.axes[0].get_yscale(), narrow.axes[0].get_yscale()) == ("log", "linear")


def test_long_training_does_not_weigh_down_the_page() -> None:
    rng = np.random.default_rng(0)
    losses = rng.uniform(1, 2, 50_000).tolist()
    figure = draw_losses([_row(step, "train/loss", loss) for step, loss in enumerate(losses)])
    assert figure is not None
    assert len(figure_svg(figure)) < 120_000


def test_validation_names_its_protocol_and_the_best_of_each_score() -> None:
    history = [
        _row(10, "val/etram_8class/AP", 0.1),
        _row(20, "val/etram_8class/AP", 0.4),
        _row(30, "val/etram_8class/AP", 0.3),
        _row(30, "val/etram_8class/AP_50", 0.6),
        _row(30, "val/etram_8class/AR_100", 0.9),
    ]
    figure = draw_validation(history, Protocol(name="etram_8class"))
    assert figure is not None
    assert _legend(figure) == ["AP  0.40", "AP50  0.60"]
    assert "etram_8class" in figure.texts[1].get_text()

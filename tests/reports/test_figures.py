"""Figures of metrics."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.drawing import palette
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.reports.figures import draw_class_precision, draw_report_figures
from etram_pipeline.reports.wording import NO_LABELS

HISTORY = [
    {"step": 1, "name": "train/loss", "value": 2.0},
    {"step": 1, "name": "val/mine/AP", "value": 0.3},
]


@pytest.fixture
def figures(metrics: Metrics) -> dict[str, Figure]:
    """All figures of one protocol and a training."""
    return draw_report_figures({"mine": metrics}, HISTORY, "mine")


def _texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def _all_texts(figure: Figure) -> list[str]:
    ticks = [
        label.get_text()
        for axes in figure.axes
        for label in (*axes.get_xticklabels(), *axes.get_yticklabels())
    ]
    legends = [axes.get_legend() for axes in figure.axes]
    entries = [text.get_text() for legend in legends if legend for text in legend.get_texts()]
    return [*(text for axes in figure.axes for text in _texts(axes)), *ticks, *entries]


def test_every_figure_is_drawn(figures: dict[str, Figure]) -> None:
    assert list(figures) == [
        "precision_recall",
        "class_precision",
        "confusion",
        "size_precision",
        "condition_precision",
        "losses",
        "validation",
    ]


def test_figures_state_the_protocol_and_what_the_numbers_rest_on(
    figures: dict[str, Figure],
) -> None:
    for name in ("precision_recall", "class_precision", "size_precision", "condition_precision"):
        assert figures[name].texts[1].get_text() == "mine · 1,200 labels in 300 frames"
    assert (
        figures["confusion"].texts[1].get_text().startswith("mine · detections of confidence 0.3")
    )


def test_absent_ground_truth_is_written_as_such_and_never_as_minus_one(
    figures: dict[str, Figure],
) -> None:
    for name in ("precision_recall", "class_precision", "size_precision", "condition_precision"):
        texts = _all_texts(figures[name])
        assert any(NO_LABELS in " ".join(text.split()) for text in texts), name
        assert not any("-1" in text or "\N{MINUS SIGN}1" in text for text in texts), name


def test_precision_is_drawn_up_to_the_largest_recall_reached(figures: dict[str, Figure]) -> None:
    car, tram = figures["precision_recall"].axes[0].lines
    assert np.asarray(car.get_xdata()).max() == pytest.approx(0.5)
    assert car.get_color() == palette.class_colour(0)
    assert len(np.asarray(tram.get_xdata())) == 0


def test_legend_of_precision_gives_ap_at_its_overlap(figures: dict[str, Figure]) -> None:
    legend = figures["precision_recall"].axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["car  0.50", f"tram  {NO_LABELS}"]


def test_overlaps_without_a_half_are_drawn_without_ap50(without_half: Metrics) -> None:
    figures = draw_report_figures({"mine": without_half}, None, "mine")
    curve = figures["precision_recall"]
    assert curve.get_suptitle().strip() == "Precision and recall of each class at IoU 0.2"
    scores, _ = figures["class_precision"].axes
    assert _texts(scores) == ["0.10", NO_LABELS]
    assert scores.get_xlabel() == "AP"
    light = figures["condition_precision"].axes[0]
    assert [label.get_text() for label in light.get_xticklabels()] == ["AP"]


def test_bars_of_a_class_are_as_long_as_its_scores_and_its_labels(
    figures: dict[str, Figure],
) -> None:
    scores, counts = figures["class_precision"].axes
    assert [bar.get_width() for bar in scores.patches] == pytest.approx([0.2, 0.1])  # type: ignore[attr-defined]
    assert [bar.get_width() for bar in counts.patches] == [1200, 0]  # type: ignore[attr-defined]
    assert _texts(scores) == ["0.10 / 0.20", NO_LABELS]
    assert _texts(counts) == ["1,200", "0"]


@pytest.mark.filterwarnings("error")
def test_classes_without_any_label_are_drawn_without_a_warning(metrics: Metrics) -> None:
    unlabelled = {
        name: each.model_copy(update={"num_labels": 0}) for name, each in metrics.per_class.items()
    }
    draw_class_precision(
        metrics.model_copy(update={"per_class": unlabelled}), "about"
    ).canvas.draw()


def test_confusion_gives_shares_of_rows_and_counts(figures: dict[str, Figure]) -> None:
    (axes,) = figures["confusion"].axes
    assert _texts(axes) == [
        *("75%", "900", "8%", "100", "17%", "200"),  # of the cars
        *("91%", "30", "9%", "3"),  # of the false alarms
        NO_LABELS,  # of the trams
    ]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["car", "tram", "missed"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["car", "tram", "false alarm"]


def test_sizes_are_explained_by_their_extent(figures: dict[str, Figure]) -> None:
    labels = [label.get_text() for label in figures["size_precision"].axes[0].get_xticklabels()]
    assert labels == [
        "small\nup to 32² px\n3 labels",
        "medium\n32² to 96² px\n1,197 labels",
        "large\nover 96² px\n0 labels",
    ]


def test_recordings_of_one_kind_make_no_figure_of_conditions(
    make_metrics: Callable[..., Metrics],
) -> None:
    figures = draw_report_figures({"mine": make_metrics(groups={})}, None, "mine")
    assert "condition_precision" not in figures
    assert "losses" not in figures
    assert "size_precision" in figures


def test_headline_that_was_not_evaluated_is_refused(metrics: Metrics) -> None:
    with pytest.raises(ProtocolError, match=r"'other' are wanted, but .* are \['mine'\]"):
        draw_report_figures({"mine": metrics}, None, "other")


def test_names_with_mathematical_signs_are_drawn_as_they_are(
    make_metrics: Callable[..., Metrics], metrics: Metrics
) -> None:
    odd = "a$_b$"
    changed = make_metrics(
        per_class={odd: metrics.per_class["car"]},
        precision_recall={odd: metrics.precision_recall["car"]},
        confusion=metrics.confusion.model_copy(
            update={"class_names": (odd, "$\\frac", "background")}
        ),
    )
    for figure in draw_report_figures({"mine": changed}, None, "mine").values():
        figure.canvas.draw_idle()
        figure.draw_without_rendering()

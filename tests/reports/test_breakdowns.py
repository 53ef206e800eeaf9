"""Figures of what is found by attribute."""

import re
from collections.abc import Callable
from typing import Any

from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.reports.breakdowns import MOST_RECORDINGS, draw_breakdown_figures
from etram_pipeline.reports.figure_style import figure_svg
from etram_pipeline.reports.page import ReportContent, write_page

NAN = float("nan")


def row(attribute: str, name: str, recall: float = 0.5, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """A row of the table of breakdowns."""
    return {
        "protocol": "mine",
        "attribute": attribute,
        "title": attribute.title(),
        "unit": "px",
        "bin": name,
        "num_labels": 1234,
        "recall": recall,
        "low": NAN,
        "high": NAN,
        "score": 0.4,
    } | changes


def texts_of(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_a_figure_shows_three_attributes_with_unit_bins_and_numbers_of_labels() -> None:
    names = ("speed", "occlusion", "border", "events")
    figures = draw_breakdown_figures(
        [row(name, f"from {name}", low=0.4, high=0.6) for name in names]
    )
    first, second = (texts_of(figure_svg(figure)) for figure in figures.values())
    assert list(figures) == ["breakdowns", "breakdowns_2"]
    assert {"Speed (px)", "from occlusion", "from border", "1,234"} <= set(first)
    assert "mine · detections with a score of at least 0.40" in first
    assert "Events (px)" in second


def test_without_an_operating_point_all_detections_count_and_no_score_is_named() -> None:
    (figure,) = draw_breakdown_figures([row("speed", "under 10", score=NAN)]).values()
    texts = texts_of(figure_svg(figure))
    assert "mine" in texts
    assert not [text for text in texts if "score" in text]


def test_of_many_recordings_those_with_least_found_are_drawn() -> None:
    rows = [
        row("recording", f"test/{number:02}", recall=number / 100, unit=NAN) for number in range(40)
    ]
    (figure,) = draw_breakdown_figures(rows).values()
    drawn = [text for text in texts_of(figure_svg(figure)) if re.fullmatch(r"\d\d", text)]
    assert sorted(drawn) == [f"{number:02}" for number in range(MOST_RECORDINGS)]


def test_names_of_recordings_are_no_formulas() -> None:
    (figure,) = draw_breakdown_figures([row("recording", "test/a$b$", unit=NAN)]).values()
    assert "a$b$" in texts_of(figure_svg(figure))


def test_the_page_shows_breakdowns_only_if_there_are_any(
    make_metrics: Callable[..., Metrics],
) -> None:
    metrics = {"mine": make_metrics()}
    figures = draw_breakdown_figures([row("speed", "under 10")])
    html = write_page(ReportContent(metrics=metrics, headline="mine", figures=figures))
    assert '<a href="#breakdowns">Objects</a>' in html
    assert "Which objects are found?" in html
    without = write_page(ReportContent(metrics=metrics, headline="mine"))
    assert draw_breakdown_figures([]) == {}
    assert "breakdowns" not in without

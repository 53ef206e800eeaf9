"""What the page says and draws of mistakes."""

import re
from collections.abc import Callable

import pytest
from tests.analysis.conftest import compare_recordings, random_evidence

from etram_pipeline.analysis.error_report import ErrorReport, measure_errors
from etram_pipeline.analysis.errors import judge_evidence
from etram_pipeline.analysis.judgement import KINDS
from etram_pipeline.evaluation.evidence import Evidence
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.reports.errors import (
    draw_error_figures,
    error_facts,
    error_section,
    error_table,
)
from etram_pipeline.reports.figure_style import figure_svg
from etram_pipeline.reports.page import ReportContent, write_page

CAR = (100, 0, 0, 40, 40, 0)
RIGHT = (100, 0, 0, 40, 40, 0, 0.9)


def report_of(evidence: Evidence) -> ErrorReport:
    return measure_errors(evidence, judge_evidence(evidence))


@pytest.fixture(scope="module")
def report() -> ErrorReport:
    """Mistakes of every kind, by day and by night."""
    return report_of(random_evidence(3))


def texts_of(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_the_first_sentence_names_the_kind_that_costs_most_and_the_class_it_costs_most() -> None:
    labels = [CAR, (100, 100, 0, 40, 40, 1)]
    found = [(100, 0, 0, 40, 40, 1, 0.9), (100, 100, 0, 40, 40, 1, 0.8)]
    sentence = error_facts(report_of(compare_recordings({"a": (labels, found)})))[0]
    assert sentence == (
        "Wrong classes cost most: repairing them alone would raise AP at IoU 0.5 from 0.250 by "
        "0.750, most of all for car (by 1.000)."
    )


def test_nothing_is_said_to_cost_most_where_nothing_is_wrong() -> None:
    perfect = report_of(compare_recordings({"a": ([CAR], [RIGHT])}))
    assert error_facts(perfect) == ("No single kind of mistake costs anything.",)
    assert set(draw_error_figures({"small": perfect})) == {"error_gains", "error_groups"}


def test_without_labels_the_section_and_its_figures_are_left_out() -> None:
    nothing = {"small": report_of(compare_recordings({"a": ([], [])}))}
    assert error_section(nothing) is None
    assert draw_error_figures(nothing) == {}
    assert error_section({}) is None


def test_the_table_has_a_row_for_each_kind(report: ErrorReport) -> None:
    table = error_table(report)
    assert [row[0] for row in table.rows] == list(KINDS)
    assert [row[2] for row in table.rows] == list(report.overall.counts.values())


def test_the_figures_show_every_kind_class_size_and_light(report: ErrorReport) -> None:
    figures = draw_error_figures({"small": report})
    gains, groups = (texts_of(figure_svg(figure)) for figure in figures.values())
    main = report.overall.main
    assert main is not None
    number = f"{report.overall.counts[main]:,}"
    assert f"+{report.overall.gains[main]:.3f} ({number} mistakes)" in gains
    assert {*KINDS, "all false detections", "all not found"} <= set(gains)
    assert {"car", "tram", "bus", "small", "medium", "large", "day", "night", *KINDS} <= set(groups)


def test_the_page_shows_mistakes_in_a_section_of_their_own(
    report: ErrorReport, make_metrics: Callable[..., Metrics]
) -> None:
    reports = {"mine": report}
    content = ReportContent(
        metrics={"mine": make_metrics()},
        headline="mine",
        errors=reports,
        figures=draw_error_figures(reports),
    )
    html = write_page(content)
    assert '<a href="#errors">Errors</a>' in html
    section = html[html.index('<section id="errors">') :]
    section = section[: section.index("</section>")]
    assert section.count("<svg") == 2
    assert "second detections of an object" in section
    assert error_facts(report)[0] in section

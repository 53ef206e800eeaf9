"""The page of a comparison, read as a browser would."""

import re

import pytest
from tests.reports.comparisons import comparison, side
from tests.reports.html import Reader

from etram_pipeline.reports.comparison import Comparison
from etram_pipeline.reports.comparison_figures import draw_comparison_figures
from etram_pipeline.reports.comparison_page import write_comparison_page
from etram_pipeline.reports.comparison_tables import leaderboard, setting_tables

BAD = '<script>alert("x")</script>$x_1$'


def page_of(one: Comparison) -> str:
    return write_comparison_page(one, draw_comparison_figures(one), "kedro experiments compare")


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL).split())


def test_the_page_needs_no_other_file() -> None:
    page = page_of(comparison())
    addresses = Reader(page).addresses
    assert {each for each in addresses if not each.startswith(("#", "data:"))} == set()
    assert {
        each for each in re.findall(r"https?://[^\"<)]+", page) if "w3.org" not in each
    } == set()


def test_figures_have_alternatives_and_columns_have_headers() -> None:
    page = page_of(comparison())
    assert page.count('role="img"') == page.count('role="img" aria-label="')
    assert len(re.findall(r"<svg", page)) == page.count('role="img"')
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        assert '<th scope="col"' in table
        assert re.search(r'<th scope="row"', table)


def test_the_verdict_comes_first_with_its_hypothesis() -> None:
    text = text_of(page_of(comparison()))
    assert "Hypothesis: other helps" in text
    assert text.index("Hypothesis: other helps") < text.index("Values of each side")
    assert "difference +0.020, 95 % interval" in text


def test_words_of_verdicts_are_only_those_of_the_value_that_was_to_be_tested() -> None:
    text = text_of(page_of(comparison()))
    assert "undecided" in text
    assert "improved" not in text  # though AP50 excludes 0
    assert "degraded" not in text
    assert len(re.findall(r'<tr class="clear">', page_of(comparison()))) == 2


def test_differences_are_grouped_with_their_labels() -> None:
    text = text_of(page_of(comparison()))
    for group in ("All recordings", "By size", "By light", "By class"):
        assert group in text
    assert "night: AP" in text
    assert "tram: AP −0.300 no interval" in text.replace("  ", " ")  # noqa: RUF001
    assert "F1" not in text


def test_names_are_escaped_everywhere() -> None:
    one = comparison(side(BAD, settings={BAD: BAD}), baseline=side("a", settings={BAD: "y"}))
    page = page_of(one)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert Reader(page).tags


def test_the_same_comparison_gives_the_same_page() -> None:
    assert page_of(comparison()) == page_of(comparison())


def test_eight_sides_with_long_names_are_drawn_without_warnings() -> None:
    names = [f"an-experiment-with-a-name-of-great-length-{number}" for number in range(8)]
    one = comparison(*(side(name, 0.4 + 0.02 * place) for place, name in enumerate(names)))
    figures = draw_comparison_figures(one)
    legend = figures["training_curves"].axes[0].get_legend()
    assert legend is not None
    assert len({text.get_text() for text in legend.get_texts()}) == 9
    page = page_of(one)
    assert all(name in page for name in names)
    assert page.count('<details class="card">') == 8


@pytest.mark.parametrize("name", ["training_curves", "model_size_comparison", "hp_lr_scatter"])
def test_a_figure_without_values_says_why(name: str) -> None:
    lacking = {"validations": (), "num_parameters": None, "learning_rate": None}
    sides = [
        each.model_copy(update={"runs": tuple(run.model_copy(update=lacking) for run in each.runs)})
        for each in (side("baseline"), side("other"))
    ]
    figure = draw_comparison_figures(comparison(sides[1], baseline=sides[0]))[name]
    assert not figure.axes[0].lines
    assert any(text.get_text().startswith("no ") for text in figure.texts)


def test_settings_that_differ_stand_apart_from_those_of_other_detectors() -> None:
    one = comparison(
        side("other", settings={"detector.kind": "rf_detr", "detector.queries": "300", "lr": "1"}),
        baseline=side("baseline", settings={"detector.kind": "rvt", "lr": "1", "cell": "gru"}),
    )
    differing, partial = setting_tables(one)
    assert differing.rows == (("detector.kind", "rvt", "rf_detr"),)
    assert [row[0] for row in partial.rows] == ["cell", "detector.queries"]


def test_the_leaderboard_has_a_row_for_each_run_the_best_side_first() -> None:
    table = leaderboard(comparison(side("worse", 0.4, 1), side("better", 0.6, 2)))
    assert [row[:3] for row in table.rows] == [
        (1, "better", 0),
        (1, "better", 1),
        (2, "baseline", 0),
        (2, "baseline", 1),
        (2, "baseline", 2),
        (3, "worse", 0),
    ]
    assert table.header[-2:] == ("AP", "AP_50")

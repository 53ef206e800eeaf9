"""Differences drawn on a common scale."""

import re

import pytest
from tests.reports.comparisons import BETTER, NO_INTERVAL, UNCLEAR, WORSE, difference

from etram_pipeline.reports.forest import WIDTH, Scale


def test_the_scale_ends_at_a_round_number_that_shows_everything() -> None:
    assert Scale.around([difference(0.02, **UNCLEAR)]).reach == pytest.approx(0.05)
    assert Scale.around([difference(0.3, **NO_INTERVAL)]).reach == pytest.approx(0.5)
    assert Scale.around([difference(0.0)]).reach == pytest.approx(0.01)
    assert Scale.around([]).reach == pytest.approx(0.01)


def test_zero_is_in_the_middle_and_better_to_the_right() -> None:
    scale = Scale(0.1)
    assert scale.place(0.0) == WIDTH / 2
    assert scale.place(-0.1) + scale.place(0.1) == pytest.approx(WIDTH)
    assert scale.place(0.05) > scale.place(0.04)


def test_an_interval_beyond_the_scale_ends_in_an_arrow_at_its_end() -> None:
    wide = difference(0.02, low=-0.01, high=0.9)
    scale = Scale.around([wide, difference(0.02, **UNCLEAR)], most=0.1)
    assert scale.reach == pytest.approx(0.1)
    (path,) = re.findall(r'class="interval" d="([^"]*)"', scale.row("car", wide))
    assert path.count("l") == 2
    assert path.count("v") == 1


@pytest.mark.parametrize(
    ("fields", "kind"),
    [(BETTER, "higher"), (WORSE, "lower"), (UNCLEAR, "unclear"), (NO_INTERVAL, "unclear")],
)
def test_only_intervals_that_exclude_zero_are_marked(fields: dict[str, object], kind: str) -> None:
    value = -0.02 if kind == "lower" else 0.02
    assert f'class="forest {kind}"' in Scale(0.1).row("car", difference(value, **fields))


def test_a_row_says_in_words_what_it_draws() -> None:
    row = Scale(0.1).row("<car>: AP", difference(0.02, **UNCLEAR))
    assert 'role="img"' in row
    assert "&lt;car&gt;: AP: +0.020, 95 % interval −0.010 … +0.040" in row  # noqa: RUF001
    assert "interval" not in Scale(0.1).row("car", difference(0.02, **NO_INTERVAL))

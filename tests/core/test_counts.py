"""Counts in words."""

import pytest

from etram_pipeline.core.counts import counted, counted_of


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "no recordings"), (1, "1 recording"), (2, "2 recordings"), (1200, "1,200 recordings")],
)
def test_a_noun_agrees_with_its_number(number: int, text: str) -> None:
    assert counted(number, "recording") == text


def test_plurals_that_do_not_just_add_an_s_are_given() -> None:
    assert counted(0, "box", "boxes") == "no boxes"
    assert counted(1, "box", "boxes") == "1 box"


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "no recordings"), (0, 1, "0 of 1 recording"), (2, 3, "2 of 3 recordings")],
)
def test_a_share_of_nothing_is_nothing(part: int, whole: int, text: str) -> None:
    assert counted_of(part, whole, "recording") == text

"""Text that a spreadsheet must not run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etram_pipeline.core.spreadsheet import inert, original

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d")


@pytest.mark.parametrize("beginning", FORMULAS)
def test_formulas_become_text(beginning: str) -> None:
    assert inert(f"{beginning}cmd|' /C calc'!A0") == f"'{beginning}cmd|' /C calc'!A0"


@pytest.mark.parametrize("value", ["car", "car+trailer", "'90s", "", -3, -0.5, None, True])
def test_all_else_stays_as_it_is(value: object) -> None:
    assert inert(value) is value
    assert original(value) is value


@given(st.text(alphabet=["'", *FORMULAS, "a"], max_size=6))
def test_no_text_is_run_and_every_text_comes_back(text: str) -> None:
    assert not str(inert(text)).startswith(FORMULAS)
    assert original(inert(text)) == text

"""Names for MLflow: accepted, distinct, and those of ordinary things unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name, _validate_param_name

from etram_pipeline.core.metric_names import (
    metric_name,
    metric_names,
    metric_part,
    original_part,
)

PARTS = st.text(min_size=0, max_size=8) | st.sampled_from(
    ["car+trailer", "car_trailer", "car:2b:trailer", "Car", "car", ".", "..", "", "a/b", "::", "ß"]
)
NAMES = st.lists(PARTS, min_size=1, max_size=3).map(tuple)


@given(NAMES, NAMES)
def test_different_things_have_different_names(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    assert (metric_name(*one) == metric_name(*other)) == (one == other)


@given(st.lists(NAMES, max_size=6))
def test_no_names_differ_in_case_only(names: list[tuple[str, ...]]) -> None:
    named = metric_names(names)
    assert len({name.casefold() for name in named.values()}) == len(set(names))


@given(st.text(max_size=300))
def test_mlflow_accepts_every_name(text: str) -> None:
    for name in (metric_name("test", text), metric_name("test", text, lower_only=True)):
        _validate_metric_name(name)  # type: ignore[no-untyped-call]
        _validate_param_name(name)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "name", ["car", "big dog", "motor-bike", "AP_50", "v1.2", "Fußgänger", "class_0", "歩行者"]
)
def test_ordinary_names_stay(name: str) -> None:
    assert metric_part(name) == name
    assert metric_names([("test", name)]) == {("test", name): f"test/{name}"}


def test_long_names_that_begin_alike_differ() -> None:
    one, other = (metric_name("test", "x" * 400 + end) for end in "ab")
    assert one != other
    assert len(one) == len(other) == 250


@given(text=PARTS.filter(bool), lower_only=st.booleans())
def test_the_text_of_a_part_is_found_again(*, text: str, lower_only: bool) -> None:
    assert original_part(metric_part(text, lower_only=lower_only)) == text

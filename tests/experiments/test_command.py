"""Commands of experiments hold their parameters as `kedro run` reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etram_pipeline.arguments import parse
from etram_pipeline.experiments.command import assignments

TEXTS = st.text(st.sampled_from("a1.,=: [{é'\"\\#~-\n"))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("data/a_1", "data/a_1"),
        ("srun python", "srun python"),
        ("001", '"001"'),
        ("1e5", '"1e5"'),
        ("null", '"null"'),
        ("", '""'),
        ("a: b", '"a: b"'),
        ('say "b", c', r'"say \"b\", c"'),
        (["it's", 'a"', 0.5, None], r'["it\'s", "a\"", 0.5, null]'.replace("\\'", "'")),
    ],
)
def test_values_are_written_as_they_are_read(value: object, words: str) -> None:
    assert assignments({"x.a": value, "x.b": 1}) == f"x.a={words},x.b=1"
    assert parse(assignments({"x.a": value, "x.b": 1})) == {"x": {"a": value, "b": 1}}


@given(st.recursive(TEXTS | st.integers() | st.booleans() | st.none(), st.lists, max_leaves=4))
def test_any_value_is_read_as_it_was(value: object) -> None:
    assert parse(assignments({"x": value, "run_name": "y"})) == {"x": value, "run_name": "y"}


@given(TEXTS)
def test_text_of_a_parameter_that_is_text_is_read_as_it_was(text: str) -> None:
    assert parse(assignments({"run_name": text})) == {"run_name": text}

"""Values that a search may try."""

import pytest

from etram_pipeline.experiments.definition import SearchRange
from etram_pipeline.experiments.trials.space import combinations, contains, listed_values
from etram_pipeline.yaml_files import ConfigurationError


def test_grid_has_every_combination_once() -> None:
    ranges = {"a": SearchRange(choices=(1, 2)), "b": SearchRange(low=0.1, high=0.3, step=0.1)}
    assert list(combinations(ranges)) == [{"a": a, "b": b} for a in (1, 2) for b in (0.1, 0.2, 0.3)]


def test_steps_end_at_or_before_the_upper_bound() -> None:
    assert listed_values(SearchRange(low=1, high=8, step=3)) == (1, 4, 7)
    assert listed_values(SearchRange(low=0.0, high=0.3, step=0.1)) == (0.0, 0.1, 0.2, 0.3)


def test_range_without_steps_is_no_grid() -> None:
    ranges = {"a": SearchRange(choices=(1, 2)), "b": SearchRange(low=0.1, high=0.3)}
    with pytest.raises(ConfigurationError, match=r"values of b cannot be listed.*--trials 20"):
        next(combinations(ranges))


@pytest.mark.parametrize(
    ("tried", "inside", "outside"),
    [
        (SearchRange(low=1, high=3), 2, 4),
        (SearchRange(low=1, high=3, step=2), 3, 2),
        (SearchRange(choices=("a", None)), None, "b"),
        (SearchRange(low=0.1, high=1.0), 0.1, "0.5"),
    ],
)
def test_value_lies_within_a_range_or_not(
    tried: SearchRange, inside: object, outside: object
) -> None:
    assert contains(tried, inside)
    assert not contains(tried, outside)

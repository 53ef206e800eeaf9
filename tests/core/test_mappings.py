"""Nested parameters by their full name."""

from etram_pipeline.core.component import Settings
from etram_pipeline.core.mappings import flatten


class Optimizer(Settings):
    rate: float = 0.1


class Training(Settings):
    steps: int = 3
    optimizer: Optimizer = Optimizer()


def test_nested_settings_become_one_level() -> None:
    assert flatten({"a": {"b": Training(), "c": []}, "d": {}}) == {
        "a.b.steps": 3,
        "a.b.optimizer.rate": 0.1,
        "a.c": [],
        "d": {},
    }


def test_items_of_lists_have_names_where_asked_for() -> None:
    filters = {"filters": [{"kind": "a"}, 2]}
    assert flatten(filters) == filters
    assert flatten(filters, "labels", with_items=True) == {
        "labels.filters.0.kind": "a",
        "labels.filters.1": 2,
    }


def test_no_parameters_are_none() -> None:
    assert flatten({}) == {}

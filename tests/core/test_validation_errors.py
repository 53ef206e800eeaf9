from importlib import import_module
from inspect import isabstract
from pkgutil import walk_packages
from typing import Any, Literal

import pytest
from pydantic import Field, ValidationError

import etram_pipeline
from etram_pipeline.core.component import Component, Settings
from etram_pipeline.core.validation_errors import describe_errors, shown


class Inner(Settings):
    rate: float = Field(default=1.0, gt=0, le=2)


class Outer(Settings):
    inner: Inner = Inner()
    lanes: int = Field(default=1, ge=1, multiple_of=1)
    workers: int | Literal["auto"] = "auto"
    windows: Literal["labelled", "all"] = "all"
    shuffle: bool = True
    name: str = "x"
    scales: tuple[float, float] = (1.0, 2.0)
    splits: tuple[Literal["val", "test"], ...] = Field(default=("test",), min_length=1)
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    finite: float = Field(default=1.0, allow_inf_nan=False)
    counts: dict[str, tuple[int, ...]] | None = None
    anything: dict[str, Any] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        ({"lanes": "two"}, ["train.lanes: must be a whole number, not 'two'"]),
        ({"lanes": 1.5}, ["train.lanes: must be a whole number, not 1.5"]),
        ({"lanes": None}, ["train.lanes: must be a whole number, not null"]),
        ({"lanes": True}, ["train.lanes: must be a whole number, not true"]),
        ({"inner": {"rate": False}}, ["train.inner.rate: must be a number, not false"]),
        ({"workers": True}, ["train.workers: must be a whole number or 'auto', not true"]),
        ({"scales": [1, True]}, ["train.scales.1: must be a number, not true"]),
        ({"groups": {"a": True}}, ["train.groups.a: must be a list, not true"]),
        ({"counts": {"a": [1, False]}}, ["train.counts.a.1: must be a whole number, not false"]),
        ({"lanes": 0}, ["train.lanes: must be at least 1, not 0"]),
        ({"lane": 2}, ["train.lane: unknown key; did you mean 'lanes'?"]),
        ({"rate": 2}, ["train.rate: unknown key; did you mean 'inner.rate'?"]),
        ({"inner": {"rate": 0}}, ["train.inner.rate: must be greater than 0, not 0"]),
        ({"inner": {"rate": 3}}, ["train.inner.rate: must be at most 2, not 3"]),
        ({"inner": 5}, ["train.inner: must be a mapping of keys to values, not 5"]),
        ({"inner": {"x": 1, "rate": "a"}},
         ["train.inner.x: unknown key; known: rate",
          "train.inner.rate: must be a number, not 'a'"]),
        ({"workers": "many"}, ["train.workers: must be a whole number or 'auto', not 'many'"]),
        ({"workers": "aut"},
         ["train.workers: must be a whole number or 'auto', not 'aut'; did you mean 'auto'?"]),
        ({"windows": "al"},
         ["train.windows: must be 'labelled' or 'all', not 'al'; did you mean 'all'?"]),
        ({"shuffle": "maybe"}, ["train.shuffle: must be true or false, not 'maybe'"]),
        ({"name": 7}, ["train.name: must be text, not 7: put it in quotes"]),
        ({"scales": [1]}, ["train.scales.1: is missing: the list is too short"]),
        ({"scales": [1, 2, 3]}, ["train.scales: must have at most 2 item(s), not [1, 2, 3]"]),
        ({"scales": "x"}, ["train.scales: must be a list, not 'x'"]),
        ({"splits": []}, ["train.splits: must have at least 1 item(s), not []"]),
        ({"splits": ["tst"]},
         ["train.splits.0: must be 'val' or 'test', not 'tst'; did you mean 'test'?"]),
        ({"groups": {"car+trailer": "x"}}, ["train.groups.car+trailer: must be a list, not 'x'"]),
        ({"groups": {1: ["x"]}},
         ["train.groups.1: the key must be text, not 1: put it in quotes"]),
        ({"finite": float("inf")}, ["train.finite: must be a finite number, not inf"]),
        ({"lane": 2, "name": 7, "{x}": 1},
         ["train.lane: unknown key; did you mean 'lanes'?",
          "train.{x}: unknown key; known: inner, lanes, workers, windows, shuffle, name, scales, "
          "splits, groups, finite, counts, anything",
          "train.name: must be text, not 7: put it in quotes"]),
        (5, ["train: must be a mapping of keys to values, not 5"]),
    ],
)  # fmt: skip
def test_each_fault_is_one_line_in_plain_words(raw: object, lines: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(raw)
    assert describe_errors(caught.value, "train") == lines


def test_numbers_may_be_written_as_text_and_booleans_stay_where_they_belong() -> None:
    raw = {"shuffle": False, "lanes": "3", "inner": {"rate": "1e-3"}, "scales": ["0.5", 2]}
    outer = Outer.model_validate({**raw, "anything": {"a": True, "b": (True, 1)}})
    assert (outer.shuffle, outer.lanes, outer.inner.rate) == (False, 3, 0.001)
    assert outer.scales == (0.5, 2.0)
    assert outer.anything == {"a": True, "b": (True, 1)}


def settings_classes() -> list[type[Settings]]:
    """Every class of settings of the package."""
    for module in walk_packages(etram_pipeline.__path__, "etram_pipeline."):
        if "__main__" not in module.name and ".pipelines" not in module.name:
            import_module(module.name)
    found: list[type[Settings]] = []
    left: list[type[Settings]] = [Settings]
    while left:
        left.extend(below := left.pop().__subclasses__())
        found.extend(each for each in below if each.__module__.startswith("etram_pipeline."))
    return found


class Thing:
    """What no field admits."""


WRONG: list[Any] = ["two", -1, 1.5, None, [], ["x"], {}, {"x": 1}, True, float("nan"), Thing()]


def test_no_field_of_any_settings_answers_in_the_words_of_pydantic() -> None:
    classes = settings_classes()
    told = 0
    for settings in classes:
        if isabstract(settings) and "package" not in vars(settings):
            continue
        for field in ("no_such_key", *settings.model_fields):
            for value in WRONG:
                is_family = issubclass(settings, Component) and "package" in vars(settings)
                raw = {"kind": "no_such_kind"} if is_family else {}
                try:
                    settings.model_validate({**raw, field: value})
                except ValidationError as error:
                    lines = describe_errors(error, "here")
                    told += len(lines)
                    for line in lines:
                        assert line.startswith("here")
                        assert "\n" not in line
                        for words in ("validation error", "[type=", "://", "nput should be"):
                            assert words not in line, (settings, field, value)
    assert len(classes) > 80
    assert told > 1000


def test_values_are_shown_as_yaml_writes_them_and_cut() -> None:
    assert [shown(value) for value in (None, True, (1, "a"))] == ["null", "true", "[1, 'a']"]
    assert len(shown("x" * 1000)) < 70

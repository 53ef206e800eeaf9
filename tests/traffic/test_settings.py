"""How tracks become counts."""

from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from etram_pipeline.core.validation_errors import describe_errors
from etram_pipeline.traffic.settings import CountSettings


def fault(**raw: object) -> str:
    with pytest.raises(ValidationError) as caught:
        CountSettings.model_validate(raw)
    (line,) = describe_errors(caught.value)
    return line


def test_bins_are_sorted_and_need_not_be_repeated() -> None:
    assert CountSettings(bins_min=(15, 1, 15)).bins_min == (1, 15)


def test_bins_that_do_not_divide_a_day_are_refused() -> None:
    assert "a day cannot be divided into bins of 7 minutes" in fault(bins_min=[1, 7])
    assert fault(bins_min=[0]).startswith("bins_min")
    assert fault(bins_min=[]).startswith("bins_min")


@pytest.mark.parametrize(
    "value", [27_000, "27000", 7.5, True, "20260601", "2026-06-01", "yesterday"]
)
def test_a_start_time_is_date_and_time(value: object) -> None:
    assert "'2026-06-01T07:00:00+02:00'" in fault(start_time=value)


def test_a_start_time_may_have_an_offset() -> None:
    settings = CountSettings.model_validate({"start_time": "2026-06-01T07:00:00+02:00"})
    assert settings.start_time is not None
    assert settings.start_time.utcoffset() == timedelta(hours=2)
    settings = CountSettings.model_validate({"start_time": "2026-06-01 07:00"})
    assert settings.start_time == datetime(2026, 6, 1, 7)


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ({"a": ["car"], "b": ["bus", "car"]}, "class 'car' is in two groups"),
        ({"a": [], "b": []}, "only one of the groups ['a', 'b']"),
        ({}, "at least one group"),
        ("group", "each"),
    ],
)
def test_classes_that_do_not_add_up_are_refused(classes: object, words: str) -> None:
    assert words in fault(classes=classes)


def test_settings_survive_json() -> None:
    settings = CountSettings(
        start_time=datetime.fromisoformat("2026-06-01T07:00:00+02:00"), classes={"cars": ("car",)}
    )
    assert CountSettings.model_validate_json(settings.model_dump_json()) == settings

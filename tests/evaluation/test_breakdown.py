import pytest

from etram_pipeline.evaluation.breakdown import recordings_by_lighting


def test_lighting_is_told_by_the_name() -> None:
    groups = recordings_by_lighting(["test/test_day_0001", "test/test_night_0001", "monday", "x"])
    assert {name: wanted.tolist() for name, wanted in groups.items()} == {
        "day": [True, False, False, False],
        "night": [False, True, False, False],
    }


@pytest.mark.parametrize("name", ["Night", "test/night-rain", "day1/night2"])
def test_the_last_word_of_the_name_counts(name: str) -> None:
    assert list(recordings_by_lighting([name])) == ["night"]


def test_names_that_do_not_tell_make_no_group() -> None:
    assert recordings_by_lighting(["test/holiday", "nightly"]) == {}

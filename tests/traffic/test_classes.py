"""Classes of the tables."""

import pytest

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.core.etram import CLASSES, SUPER_CLASSES
from etram_pipeline.traffic.classes import GROUPS, counted_classes

OWN = {"heavy": ("bus", "truck"), "others": ()}


def gathered(classes: str | dict[str, tuple[str, ...]], names: tuple[str, ...]) -> dict[str, str]:
    found = counted_classes(classes, names)
    return {name: found.names[found.of_class[index]] for index, name in enumerate(names)}


def test_each_class_stands_for_itself() -> None:
    assert gathered("each", CLASSES) == {name: name for name in CLASSES}


def test_groups_gather_every_class_of_etram_once() -> None:
    assert set(gathered("groups", CLASSES).values()) == set(GROUPS)
    assert gathered("groups", CLASSES)["wheelchair"] == "pedestrians and wheelchairs"


def test_groups_that_no_class_fills_are_left_out() -> None:
    assert counted_classes("groups", ("car", "bus")).names == ("cars and light vehicles", "buses")


def test_a_group_with_an_empty_list_gathers_what_is_left() -> None:
    assert gathered(OWN, ("car", "bus", "truck")) == {
        "car": "others",
        "bus": "heavy",
        "truck": "heavy",
    }


@pytest.mark.parametrize(
    ("classes", "names", "words"),
    [
        ({"heavy": ("buss",), "others": ()}, CLASSES, "unknown class 'buss'; did you mean 'bus'?"),
        ({"heavy": ("bus",)}, ("bus", "car", "tram"), "no group gathers car, tram"),
        ("groups", tuple(SUPER_CLASSES), "no group gathers vehicle, micro_mobility"),
        ({"total": ()}, CLASSES, "'total' is the name of a column"),
        ("each", ("car", "all"), "'all' is the name of a column"),
    ],
)
def test_groups_that_do_not_suit_the_classes_are_refused(
    classes: str | dict[str, tuple[str, ...]], names: tuple[str, ...], words: str
) -> None:
    with pytest.raises(SettingsError, match=r"count\.classes: ") as caught:
        counted_classes(classes, names)
    assert words in str(caught.value)

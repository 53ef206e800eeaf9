import pytest

from etram_pipeline.core import etram
from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation.classes import scored_classes
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import NAMED

GROUPS = ("pedestrian", "vehicle", "micro_mobility")


def test_by_id_the_first_ids_count_under_the_names_of_the_tables() -> None:
    classes = scored_classes(NAMED["rvt_gen4"], etram.CLASSES, 8)
    assert classes.names == ("pedestrian", "car", "bicycle")
    assert classes.index_of_id.tolist() == [0, 1, 2, -1, -1, -1, -1, -1]


def test_by_id_the_names_of_the_protocol_stand_in() -> None:
    assert scored_classes(NAMED["rvt_gen1"], None, 7).names == ("car", "pedestrian")


def test_by_name_a_class_is_found_wherever_it_is() -> None:
    protocol = Protocol(name="x", class_names=("tram", "car"))
    classes = scored_classes(protocol, etram.CLASSES, 8)
    assert classes.index_of_id.tolist() == [-1, 1, -1, -1, -1, -1, 0, -1]


def test_super_classes_gather_their_members() -> None:
    classes = scored_classes(NAMED["etram_3class"], etram.CLASSES, 8)
    assert classes.names == GROUPS
    assert classes.index_of_id.tolist() == [0, 1, 2, 1, 2, 1, 1, 2]


@pytest.mark.parametrize("class_names", [GROUPS, None])
def test_super_classes_already_gathered_are_taken_as_they_are(
    class_names: tuple[str, ...] | None,
) -> None:
    classes = scored_classes(NAMED["etram_3class"], class_names, 3)
    assert classes.names == GROUPS
    assert classes.index_of_id.tolist() == [0, 1, 2]


def test_without_names_every_class_of_the_tables_counts() -> None:
    assert scored_classes(NAMED["coco"], ("car", "dog"), 1).names == ("car", "dog")
    assert scored_classes(NAMED["coco"], None, 2).names == ("class_0", "class_1")


def test_an_id_without_a_name_is_refused() -> None:
    with pytest.raises(ProtocolError, match=r"class id 3, but the classes are .*pass class_names="):
        scored_classes(NAMED["etram_3class"], None, 4)


def test_a_protocol_for_other_classes_is_refused() -> None:
    with pytest.raises(ProtocolError, match=r"'etram_8class' counts the classes \['bicycle'"):
        scored_classes(NAMED["etram_8class"], GROUPS, 3)

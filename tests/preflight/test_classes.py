from typing import Any

import pytest
from tests.preflight.conftest import Find, Save, faults, warnings

APPLIED = {"env": "recording", "train": None, "evaluate": None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"evaluate": {"protocols": ["etram_8class"]}},
            "evaluate.protocols: protocol 'etram_8class' counts the classes",
        ),
        (
            {"train": {"validation": {"protocol": "etram_3class"}}},
            "train.validation.protocol: protocol 'etram_3class' counts the classes",
        ),
        (
            {"train": {"validation": {"protocol": "etram8"}}},
            "unknown protocol 'etram8'; did you mean",
        ),
        (
            {"labels": {"filters": [{"kind": "select_classes", "class_names": ["lorry"]}]}},
            "labels.filters: select_classes names ['lorry']",
        ),
    ],
)
def test_classes_that_do_not_exist_are_told_before_the_training(
    found: Find, changes: dict[str, Any], message: str
) -> None:
    (told,) = faults(found("__default__", **changes))
    assert message in told


def test_ids_that_stand_for_other_classes_are_told(found: Find) -> None:
    findings = found("__default__", evaluate={"protocols": ["rvt_gen4", "etram_fork"]})
    assert faults(findings) == []
    (told,) = warnings(findings)
    assert "'rvt_gen4' takes the first class ids for pedestrian, two-wheeler, car" in told


def test_groups_need_a_filter_that_gathers_them(found: Find) -> None:
    groups = {"dataset": {"class_groups": {"vehicle": ["car"]}}}
    (told,) = warnings(found("__default__", **groups))
    assert "add {kind: group_classes}" in told
    filters = {"labels": {"filters": [{"kind": "group_classes"}]}}
    assert found("__default__", **groups, **filters) == []


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize("names", [("train",), ("export",)])
def test_stored_labels_of_other_classes_are_refused(found: Find, names: tuple[str, ...]) -> None:
    told = faults(found(*names, dataset={"class_names": ["tram"]}))
    assert told == [
        "the stored labelled frames are of the classes car, but `dataset` has tram: use the preset "
        "they were made with, or add `preprocess` to --pipelines"
    ]


@pytest.mark.parametrize("channels", [8, 20])
def test_a_detector_must_be_able_to_read_what_is_encoded(
    found: Find, save_checkpoint: Save, channels: int
) -> None:
    path = save_checkpoint(channels=channels)
    told = faults(found("apply", checkpoint=str(path), **APPLIED))
    fault = f"{path} was trained on 20 channels, but `representation` has 8"
    assert told == [] if channels == 8 else told[0].startswith(fault)


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize("channels", [8, 20])
def test_a_detector_must_be_able_to_read_what_is_stored(
    found: Find, save_checkpoint: Save, channels: int
) -> None:
    path = save_checkpoint(channels=channels)
    told = faults(found("predict", checkpoint=str(path)))
    assert told == [] if channels == 8 else "was trained on 20 channels, but" in told[0]


def test_another_representation_of_as_many_channels_is_told(
    found: Find, save_checkpoint: Save
) -> None:
    settings = {"kind": "stacked_histogram", "bins": 4, "downsample": "sum", "max_count": 10}
    path = save_checkpoint(representation=settings)
    findings = found("apply", checkpoint=str(path), **APPLIED)
    assert faults(findings) == []
    assert "downsample sum -> nearest" in warnings(findings)[0]


def test_detections_of_other_classes_can_be_shown_but_not_scored(
    found: Find, save_checkpoint: Save
) -> None:
    path = str(save_checkpoint(class_names=("person", "dog")))
    assert found("apply", checkpoint=path, **APPLIED) == []
    (told,) = faults(found("preprocess", "predict", "evaluate", checkpoint=path))
    assert "detects the classes person, dog, but labels are of car" in told


@pytest.mark.usefixtures("stores")
def test_stored_detections_of_other_classes_are_not_scored(
    found: Find, save_detections: Save
) -> None:
    save_detections(class_names=("person", "dog"))
    (told,) = faults(found("evaluate"))
    assert "the detections are of the classes person, dog, but `dataset` has car" in told


def test_a_damaged_checkpoint_is_told_before_anything_is_encoded(
    found: Find, save_checkpoint: Save
) -> None:
    path = save_checkpoint()
    path.write_bytes(path.read_bytes()[:1000])
    (told,) = faults(found("apply", checkpoint=str(path), **APPLIED))
    assert "cannot be read as a PyTorch checkpoint" in told

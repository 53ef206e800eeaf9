import shutil
from pathlib import Path

import pytest
from tests.preflight.conftest import Find, Save, faults, warnings

APPLIED = {"env": "recording", "train": None, "evaluate": None}


def test_without_recordings_to_detect_in_nothing_is_trained(found: Find, raw: Path) -> None:
    shutil.rmtree(raw / "val")
    told = faults(found("__default__", predict={"splits": ["test"]}, evaluate={"split": "test"}))
    assert len(told) == 2
    assert "predict.splits is test, but" in told[0]
    assert "etram has recordings: 2 of `train`" in told[0]
    assert "evaluate.split is test, but" in told[1]


def test_without_recordings_to_train_on_nothing_is_preprocessed(found: Find, raw: Path) -> None:
    shutil.rmtree(raw / "train")
    (told,) = faults(found("__default__"))
    assert "there is nothing to train on" in told
    assert "labelled recordings: 1 of `val`" in told


def test_recordings_to_train_on_need_labels(found: Find, raw: Path) -> None:
    (raw / "train" / "a_bbox.npy").unlink()
    findings = found("__default__")
    assert faults(findings) == []
    assert "1 of 2 recordings of `train` have no label file (train/a)" in warnings(findings)[0]

    (raw / "train" / "b_bbox.npy").unlink()
    (told,) = faults(found("__default__"))
    assert "the 2 recordings there have no label file" in told


def test_a_training_without_validation_is_told(found: Find, raw: Path) -> None:
    shutil.rmtree(raw / "val")
    findings = found("preprocess", "train", predict=None, evaluate=None)
    assert faults(findings) == []
    assert "no labelled recordings of `val`" in warnings(findings)[0]


def test_one_of_several_splits_may_be_empty(found: Find) -> None:
    findings = found("__default__", predict={"splits": ["val", "test"]})
    assert faults(findings) == []
    assert "predict.splits names test" in warnings(findings)[0]


def test_what_is_evaluated_must_be_predicted(found: Find) -> None:
    (told,) = faults(found("__default__", evaluate={"split": "train"}))
    assert "2 of 2 labelled recordings of 'train' have no detections" in told


@pytest.mark.usefixtures("stores")
def test_stored_detections_must_be_of_what_is_evaluated(found: Find, save_detections: Save) -> None:
    save_detections("train/a")
    (told,) = faults(found("evaluate"))
    assert "1 of 1 labelled recordings of 'val' have no detections (val/c)" in told

    save_detections("train/a", "val/c")
    assert faults(found("evaluate")) == []


def test_windows_that_end_at_labels_need_labels(
    found: Find, raw: Path, save_checkpoint: Save
) -> None:
    checkpoint = str(save_checkpoint())
    for path in raw.rglob("*_bbox.npy"):
        path.unlink()
    (told,) = faults(found("apply", checkpoint=checkpoint, **APPLIED))
    assert "set windows.kind=regular" in told
    regular = {"windows": {"kind": "regular"}}
    assert found("apply", checkpoint=checkpoint, **regular, **APPLIED) == []


def test_an_export_needs_labelled_recordings(found: Find) -> None:
    assert faults(found("preprocess", "export", export={"splits": ["train"]})) == []
    (told,) = faults(found("preprocess", "export", export={"splits": ["test"]}))
    assert "there is nothing to export: export.splits is test" in told


@pytest.mark.parametrize(("key", "is_there"), [("val/c", True), ("val/d", False), ("c", False)])
def test_the_recording_of_the_video_is_known_before(
    found: Find, key: str, *, is_there: bool
) -> None:
    told = faults(found("__default__", report={"video_recording": key}))
    assert told == [] if is_there else "detections are of val/c" in told[0]


@pytest.mark.parametrize(("name", "is_there"), [("coco", True), ("etram_8class", False)])
def test_the_headline_is_evaluated(found: Find, name: str, *, is_there: bool) -> None:
    told = faults(found("__default__", report={"headline": name}))
    assert told == [] if is_there else "metrics are of coco" in told[0]


@pytest.mark.usefixtures("stores")
def test_rates_need_labelled_recordings_and_classes_that_the_protocol_knows(
    found: Find, save_detections: Save, save_checkpoint: Save
) -> None:
    save_detections()
    save_checkpoint()
    assert faults(found("rates", checkpoint="detector.ckpt")) == []
    (told,) = faults(found("rates", checkpoint="detector.ckpt", evaluate={"split": "test"}))
    assert told.startswith("there is nothing to evaluate on: evaluate.split is test")
    (told,) = faults(
        found("rates", checkpoint="detector.ckpt", evaluate={"protocols": ["etram_8class"]})
    )
    assert "protocol 'etram_8class' counts the classes" in told


@pytest.mark.usefixtures("stores")
def test_changed_recordings_need_labels_and_classes_that_the_protocol_knows(
    found: Find, save_checkpoint: Save
) -> None:
    save_checkpoint()
    assert faults(found("robustness", checkpoint="detector.ckpt")) == []
    (told,) = faults(found("robustness", checkpoint="detector.ckpt", evaluate={"split": "test"}))
    assert told.startswith("there is nothing to evaluate on: evaluate.split is test")
    (told,) = faults(
        found("robustness", checkpoint="detector.ckpt", evaluate={"protocols": ["etram_8class"]})
    )
    assert "protocol 'etram_8class' counts the classes" in told

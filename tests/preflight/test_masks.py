"""Masks that a detector or a protocol needs and that are not there."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import OpenSession
from tests.preflight.conftest import Find, Save, faults, look

from etram_pipeline.core.mask_column import write_masks
from etram_pipeline.core.run_lengths import encode_masks
from etram_pipeline.models.detectors import yolox

MASKED_YOLOX = {"kind": "yolox", "backbone": "lcnet_050"}
OF_MASKS = {"evaluate": {"protocols": ["coco_masks"]}}


@pytest.fixture
def learns_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets YOLOX pass for a detector of masks."""
    monkeypatch.setattr(yolox.Config, "needs_masks", property(lambda _: True))


@pytest.fixture
def add_masks(raw: Path) -> Callable[..., None]:
    """Writes masks beside the label files of some recordings."""

    def add(*keys: str) -> None:
        masks = np.zeros((9, 96, 128), bool)
        masks[:, 20:60, 10:40] = True
        for key in keys:
            write_masks(raw / f"{key}_masks.json", encode_masks(masks))

    return add


@pytest.mark.usefixtures("learns_masks")
def test_a_detector_of_masks_needs_masks(found: Find, add_masks: Callable[..., None]) -> None:
    (told,) = faults(found("__default__", detector=MASKED_YOLOX))
    assert told.startswith(
        "the detector yolox learns masks, but 2 of 2 recordings of `train` have none (train/a, "
        "train/b): put a file <recording>_masks.json beside each label file and run `preprocess`, "
    )
    add_masks("train/a")
    (told,) = faults(found("__default__", detector=MASKED_YOLOX))
    assert "1 of 2 recordings of `train` have none (train/b)" in told
    add_masks("train/b")
    assert faults(found("__default__", detector=MASKED_YOLOX)) == []
    assert faults(found("preprocess", evaluate=None, predict=None, train=None)) == []


@pytest.mark.usefixtures("learns_masks", "stores")
def test_stored_labels_are_looked_at_where_they_are_not_made(found: Find) -> None:
    (told,) = faults(found("train", detector=MASKED_YOLOX))
    assert told.startswith("the detector yolox learns masks, but 2 of 2 recordings")


@pytest.mark.usefixtures("learns_masks")
def test_a_protocol_of_masks_needs_labels_with_masks(
    found: Find, add_masks: Callable[..., None]
) -> None:
    add_masks("train/a", "train/b")
    changes = OF_MASKS | {"train": {"validation": {"protocol": "coco_masks"}}}
    told = faults(found("__default__", detector=MASKED_YOLOX, **changes))
    assert [message.split(" compares masks, but ")[0] for message in told] == [
        "train.validation.protocol coco_masks",
        "evaluate.protocols: coco_masks",
    ]
    assert all("1 of 1 recordings of `val` have none (val/c)" in message for message in told)
    add_masks("val/c")
    assert faults(found("__default__", detector=MASKED_YOLOX, **changes)) == []


def test_a_protocol_of_masks_needs_a_detector_of_masks(
    found: Find, add_masks: Callable[..., None]
) -> None:
    add_masks("val/c")
    changes = OF_MASKS | {"train": {"validation": {"protocol": "coco_masks"}}}
    assert faults(found("__default__", **changes)) == [
        "train.validation.protocol coco_masks compares masks, but rvt detects boxes alone: choose "
        "a detector of masks, or a protocol of boxes, such as coco",
        "evaluate.protocols: coco_masks compares masks, but the detector detects boxes alone: "
        "choose a detector of masks, or a protocol of boxes, such as coco",
    ]


@pytest.mark.usefixtures("stores")
def test_a_trained_detector_of_boxes_detects_no_masks(found: Find, save_checkpoint: Save) -> None:
    told = faults(found("predict", "evaluate", checkpoint=str(save_checkpoint()), **OF_MASKS))
    assert any("but the detector detects boxes alone" in message for message in told)


@pytest.mark.usefixtures("learns_masks")
def test_the_scene_has_masks_where_it_is_told_to_write_them(session: OpenSession) -> None:
    parameters = {"detector": MASKED_YOLOX}
    (told,) = faults(look(session, ("__default__",), "base", parameters))
    assert "or use the environment `scene_masks`" in told
    both = parameters | OF_MASKS
    assert faults(look(session, ("__default__",), "scene_masks", both)) == []

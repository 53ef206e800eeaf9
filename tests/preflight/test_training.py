import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.preflight.conftest import Find, Save, faults
from torchvision import models

from etram_pipeline.models.checkpoint import Checkpoint, write_checkpoint
from etram_pipeline.models.detectors import DetectorConfig

STAGES = "detector.neck_stages names stage 5, but the backbone has 4"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": {"start_from": "/no/way.ckpt"}}, "train.start_from is /no/way.ckpt, but there"),
        ({"train": {"start_from": "/tmp"}}, "train.start_from is /tmp, but that is a folder"),
        (
            {"train": {"launcher": "nosuchlauncher -n 2"}},
            "train.launcher is nosuchlauncher",
        ),
        ({"train": {"launcher": "a 'b"}}, "train.launcher is a 'b, which is no command"),
        (
            {"train": {"optimizer": {"groups": {"nope": {"rate": 2}}}}},
            "train.optimizer.groups: no parameter starts with 'nope'",
        ),
        ({"train": {"freeze": ["nope"]}}, "train.freeze: no parameter starts with 'nope'"),
        ({"detector": {"neck_stages": [3, 4, 5]}}, STAGES),
        (
            {"train": {"resolution": {"scales": [0.5]}}, "detector": {"input_size": [64, 64]}},
            "train.resolution.scales [0.5] resize frames that detector.input_size",
        ),
        (
            {"detector": {"auxiliary": {"kind": "small_objects", "classes": ["lorry"]}}},
            "auxiliary.classes: unknown class 'lorry'",
        ),
        (
            {"detector": {"kind": "yolox"}, "train": {"execution": {"order": "steps"}}},
            "train.execution.order is steps, but the detector YOLOX cannot follow it",
        ),
        (
            {
                "representation": {"kind": "vtei"},
                "train": {"random_augmentation": {"events": {"drop_probability": 0.5}}},
            },
            "train.random_augmentation.events can change the events of stacked histograms only, "
            "but representation.kind is vtei",
        ),
    ],
)
def test_what_a_training_would_refuse_is_told_before_anything_is_encoded(
    found: Find, changes: dict[str, Any], message: str
) -> None:
    (told,) = faults(found("__default__", **changes))
    assert told.startswith(message)
    assert faults(found("preprocess", **changes | {"predict": None, "evaluate": None})) == []


def test_weights_to_start_from_must_be_readable(found: Find, tmp_path: Path) -> None:
    (tmp_path / "half.ckpt").write_bytes(b"PK")
    (told,) = faults(found("train", train={"start_from": str(tmp_path / "half.ckpt")}))[-1:]
    assert told.startswith(f"train.start_from: {tmp_path}/half.ckpt cannot be read")


def test_weights_to_start_from_must_fit_the_detector(found: Find, tmp_path: Path) -> None:
    other = DetectorConfig.model_validate({"kind": "yolox", "backbone": "lcnet_050"})
    path = tmp_path / "yolox.ckpt"
    write_checkpoint(path, Checkpoint(other.build(8, 1), other, 8, ("car",)))
    start = {"start_from": str(path)}
    rcnn = {"kind": "faster_rcnn", "backbone": "resnet18", "fpn_channels": 8, "head_dim": 16}
    (told,) = faults(found("__default__", train=start, detector=rcnn))
    assert told.startswith(f"train.start_from: {path} holds a YOLOX, and none of its weights fits")
    assert faults(found("__default__", train=start, detector=other.model_dump())) == []


def test_weights_of_a_library_must_fit_the_detector(found: Find, tmp_path: Path) -> None:
    body = models.resnet18(weights=None).state_dict()
    torch.save(body, tmp_path / "resnet18.pth")
    start = {"start_from": str(tmp_path / "resnet18.pth")}
    small = {"kind": "faster_rcnn", "backbone": "resnet18", "fpn_channels": 8, "head_dim": 16}
    assert faults(found("__default__", train=start, detector=small)) == []
    (told,) = faults(found("__default__", train=start))
    assert told.startswith(f"train.start_from: {tmp_path}/resnet18.pth is neither a checkpoint")
    (tmp_path / "R-50.pkl").write_bytes(b"")
    start = {"start_from": str(tmp_path / "R-50.pkl")}
    (told,) = faults(found("__default__", train=start, detector=small))
    assert "is a pickle file, as Detectron2 writes them" in told


def test_a_teacher_must_be_there_and_fit(found: Find, save_checkpoint: Save) -> None:
    def told(teacher: Path | None, **changes: object) -> list[str]:
        task = {"kind": "distillation", "teacher": teacher and str(teacher)}
        return faults(found("__default__", detector={"auxiliary": task}, **changes))

    (missing,) = told(None)
    assert missing.startswith("detector.auxiliary.teacher is missing: name the checkpoint")
    (nowhere,) = told(Path("/no/way.ckpt"))
    assert nowhere.startswith("detector.auxiliary.teacher is /no/way.ckpt, but there is no such")
    teacher = save_checkpoint("teacher.ckpt")
    assert told(teacher) == []
    (other,) = told(save_checkpoint("trams.ckpt", class_names=("tram",)))
    assert "detects the classes tram, but this run learns car" in other
    counts = {"kind": "stacked_histogram", "bins": 4, "max_count": 7}
    (other,) = told(save_checkpoint("counts.ckpt", representation=counts))
    assert "was trained on another representation (max_count 7 -> " in other
    scales = {"resolution": {"scales": [0.5, 1.0]}}
    assert told(teacher, train=scales) == []
    task = {"kind": "distillation", "teacher": str(teacher)}
    smaller = {"auxiliary": task, "backbone": {"kind": "maxvit", "partition_split": 1}}
    (other,) = faults(found("__default__", detector=smaller, train=scales))
    assert "pads frames to multiples of 64 px and this detector to 32" in other


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"train": {"accelerator": "gpu"}}, "train.accelerator is gpu"),
        ({"predict": {"device": "cuda:1"}}, "predict.device is cuda:1"),
    ],
)
def test_a_gpu_that_is_not_there_is_told(found: Find, changes: dict[str, Any], name: str) -> None:
    (told,) = faults(found("__default__", **changes))
    assert told.startswith(f"{name}, but PyTorch finds no GPU it can use")


def test_a_launcher_may_find_a_gpu_elsewhere(found: Find) -> None:
    train = {"accelerator": "gpu", "launcher": f"{sys.executable} x.py", "devices": 2}
    assert faults(found("__default__", train=train)) == []


@pytest.mark.usefixtures("stores")
def test_a_detector_that_is_trained_already_is_not_built(
    found: Find, save_checkpoint: Save
) -> None:
    path = save_checkpoint()
    changes: dict[str, Any] = {"train": {"freeze": ["nope"]}}
    assert faults(found("predict", checkpoint=str(path), **changes)) == []


@pytest.mark.usefixtures("stores")
def test_a_detector_without_calibration_is_told_before_it_detects(
    found: Find, save_checkpoint: Save
) -> None:
    path = str(save_checkpoint())
    (told,) = faults(found("predict", checkpoint=path, predict={"calibrated": True}))
    assert told.startswith(f"predict.calibrated is true, but {path} has no calibration")
    assert faults(found("predict", checkpoint=path)) == []
    content = torch.load(path)
    content["etram"]["calibration"] = {
        "protocol": "coco",
        "choices": "0",
        "num_detections": 9,
        "scaling": {"kind": "temperature", "temperature": 0.5},
    }
    torch.save(content, path)
    assert faults(found("predict", checkpoint=path, predict={"calibrated": True})) == []


VIEWS = {"augmentation": {"scales": [1.0, 1.5], "mirror": True}}
REMEMBERS = "predict.augmentation needs a detector without memory, but this RVT carries a memory"


def test_views_that_a_detector_cannot_follow_are_told_before_anything_is_trained(
    found: Find,
) -> None:
    (told,) = faults(found("__default__", predict=VIEWS))
    assert told.startswith(REMEMBERS)
    small = {"kind": "yolox", "backbone": "lcnet_050"}
    assert faults(found("__default__", predict=VIEWS, detector=small)) == []


@pytest.mark.usefixtures("stores")
def test_views_that_a_trained_detector_cannot_follow_are_told(
    found: Find, save_checkpoint: Save
) -> None:
    unread = dict.fromkeys(("train", "evaluate", "labels"))
    given = {"predict": VIEWS, "checkpoint": str(save_checkpoint())} | unread
    (told,) = faults(found("predict", **given))
    assert told.startswith(REMEMBERS)

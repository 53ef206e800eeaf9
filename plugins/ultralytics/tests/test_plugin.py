"""Models of Ultralytics: found by entry point, trained, stored, and without side effects."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
import yaml
from pydantic import ValidationError
from tests.models.detectors.test_yolox import NAMES, frames_with_objects, labels_of
from tests.models.overfit import ap50
from tests.training.runs import At, PowerCutError, changed, fail

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.core.component import kinds
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.inference.predict import predict_recording
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.checkpoint import read_checkpoint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.training.checkpoints import LAST
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.settings import TrainSettings
from etram_pipeline_ultralytics import Config, ModelName

MakeBatch = Callable[..., SequenceBatch]
Record = Callable[..., LabelledRecordings]

HERE = Path(__file__).parents[1]
PUBLISHED = {
    "yolov8n": 3_157_200,
    "yolov8s": 11_166_560,
    "yolov8m": 25_902_640,
    "yolov8l": 43_691_520,
    "yolo11n": 2_624_080,
    "yolo12n": 2_602_288,
    "yolov9t": 2_128_720,
}
"""Parameters with 3 channels and 80 classes. Source: the files that describe the models."""


def test_four_frames_are_learnt_by_heart() -> None:
    torch.manual_seed(0)
    batch = frames_with_objects(4)
    # On smaller frames, objects have too few anchors to be learnt within so few steps.
    detector = Config(model="yolov8n", input_size=(128, 192)).build(4, 3).train()
    optimizer = torch.optim.AdamW(detector.parameters(), lr=5e-4)
    # The last steps change little, so that the statistics of batch normalisation catch up.
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-4, total_steps=221, pct_start=0.1)
    for _ in range(220):
        optimizer.zero_grad()
        losses, _ = detector.losses(batch, ())
        (losses["iou"] + losses["class"] + losses["distribution"]).backward()
        optimizer.step()
        rate.step()
    assert ap50(detector, batch, labels_of(batch), NAMES) >= 0.9


@pytest.mark.parametrize("model", PUBLISHED)
def test_models_are_those_that_are_published(model: str) -> None:
    detector = Config.model_validate({"model": model}).build(3, 80)
    assert detector.size_multiple == 32
    # Ultralytics counts the 16 constants of the distributions as parameters.
    assert sum(weight.numel() for weight in detector.parameters()) + 16 == PUBLISHED[model]


@pytest.mark.parametrize("channels", [1, 2, 20])
@pytest.mark.parametrize("num_classes", [1, 3, 8])
def test_any_number_of_channels_and_classes_is_learnt(channels: int, num_classes: int) -> None:
    batch = frames_with_objects(2)
    frames = torch.randint(0, 9, (1, 2, channels, 64, 96), dtype=torch.uint8)
    ids = [target.class_ids.clamp(max=num_classes - 1) for target in batch.targets]
    targets = tuple(
        type(target)(target.boxes_xyxy, of_target)
        for target, of_target in zip(batch.targets, ids, strict=True)
    )
    batch = type(batch)(frames, batch.starts, batch.keyframes, targets)
    losses, _ = Config().build(channels, num_classes).train().losses(batch, ())
    assert all(loss.isfinite() for loss in losses.values())
    assert losses["num_targets"] == 4
    assert losses["num_foreground"] > 4


def test_losses_and_boxes_are_those_of_ultralytics() -> None:
    torch.manual_seed(0)
    batch = frames_with_objects(2)
    detector = Config(model="yolov8n").build(4, 3).train()
    frames, network = batch.frames[0].float(), detector.network
    losses, _ = detector.losses(batch, ())
    boxes = torch.cat([target.boxes_xyxy for target in batch.targets])
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    as_theirs = {
        "img": frames,
        "batch_idx": torch.tensor([0.0, 0.0, 1.0, 1.0]),
        "cls": torch.cat([target.class_ids for target in batch.targets]).float()[:, None],
        "bboxes": torch.cat([centre, size], 1) / torch.tensor([96.0, 64.0, 96.0, 64.0]),
    }
    network.load_state_dict(Config(model="yolov8n").build(4, 3).state_dict(), strict=False)
    expected, _ = network.loss(as_theirs)  # type: ignore[operator]
    found = torch.stack([losses["iou"], losses["class"], losses["distribution"]])
    torch.testing.assert_close(2 * found, expected)  # theirs is multiplied by the number of frames
    with torch.no_grad():
        decoded = detector.eval().network(frames)[0]
        everything = SuppressionSettings(score_threshold=0, iou_threshold=1, max_detections=9999)
        of_first = detector.detect_frames(frames, everything)[0]
    scores, order = decoded[0, 4:].max(0).values.sort(descending=True, stable=True)
    torch.testing.assert_close(of_first.scores, scores)
    x, y, width, height = decoded[0, :4, order[0]].tolist()
    corners = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    assert of_first.boxes_xyxy[0].tolist() == pytest.approx(corners, abs=1e-4)


def test_an_interrupted_training_in_bfloat16_continues_bit_by_bit(
    record: Record, settings: TrainSettings, tmp_path: Path
) -> None:
    chosen = changed(settings, max_steps=4, clip_length=1, precision="bf16-mixed")
    blueprint = Blueprint(detector=Config(), class_names=("box", "other"))
    data = record(2, num_windows=6), record(1, num_windows=4), blueprint
    straight = fit(*data, chosen, tmp_path / "straight")
    with pytest.raises(PowerCutError):
        fit(*data, chosen, tmp_path / "cut", [At(3, fail)])
    continued = fit(*data, chosen, tmp_path / "cut")
    last = [torch.load(path.with_name(LAST))["state_dict"] for path in (straight, continued)]
    assert all(torch.equal(last[0][name], last[1][name]) for name in last[0])
    read = read_checkpoint(continued)
    assert read.detector_config == Config()
    given = {"windows": "all", "device": "cpu", "workers": 0}
    views = given | {"augmentation": {"scales": [1.0, 2.0], "mirror": True}}
    frames = record(1).frames["train/r0"]
    for chosen_way in (given, views):
        found = predict_recording(read.detector, frames, PredictSettings.model_validate(chosen_way))
        assert np.isfinite(found["x"]).all()


def test_other_models_are_refused_with_the_names_of_those_there_are() -> None:
    with pytest.raises(ValidationError, match="yolov8l"):
        DetectorConfig.model_validate({"kind": "ultralytics", "model": "yolov10n"})
    with pytest.raises(ValidationError, match="unknown key 'weights'"):
        DetectorConfig.model_validate({"kind": "ultralytics", "weights": "yolo11n.pt"})
    assert set(PUBLISHED) <= set(get_args(ModelName))


def test_the_core_does_not_list_the_plugin_among_its_own() -> None:
    assert "ultralytics" not in kinds("etram_pipeline.models.detectors")


def test_the_preset_is_the_baseline_of_etram() -> None:
    preset = yaml.safe_load((HERE / "presets" / "yolov8l.yml").read_text())
    assert DetectorConfig.model_validate(preset["detector"]) == Config(model="yolov8l")
    representation = RepresentationConfig.model_validate(preset["representation"])
    assert representation.channels == 2  # one sum per polarity
    TrainSettings.model_validate(preset["train"])


def test_the_package_is_under_the_licence_of_ultralytics() -> None:
    about = distribution("etram-pipeline-ultralytics").metadata
    assert about["License-Expression"] == "AGPL-3.0-only"
    assert distribution("ultralytics").metadata["License"] == "AGPL-3.0"
    assert "GNU AFFERO GENERAL PUBLIC LICENSE" in (HERE / "LICENSE").read_text()


BUILD = """
import json, os, socket, threading
import torch

def refuse(*args, **kwargs):
    raise SystemExit(f"network: {args}")

socket.getaddrinfo = socket.socket.connect = refuse
before, save = dict(os.environ), torch.save
from etram_pipeline.models.detectors import DetectorConfig
detector = DetectorConfig.model_validate({"kind": "ultralytics"}).build(2, 3)
from ultralytics.utils import SETTINGS
print(json.dumps({
    "changed": sorted(k for k in os.environ if os.environ[k] != before.get(k)),
    "gone": sorted(set(before) - set(os.environ)),
    "saves": torch.save is save,
    "sync": SETTINGS["sync"],
    "threads": threading.active_count(),
}))
"""


def test_building_a_model_uses_no_network_and_leaves_nothing_behind(tmp_path: Path) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    variables = {
        name: value for name, value in os.environ.items() if name[:3] not in ("XDG", "YOL")
    }
    variables.pop("OMP_NUM_THREADS", None)  # which Ultralytics could set, but must not
    # Matplotlib, which Ultralytics imports, keeps a list of fonts in a folder of its own.
    variables |= {"HOME": str(home), "MPLCONFIGDIR": str(tmp_path / "fonts")}
    command = [sys.executable, "-c", BUILD]
    ended = subprocess.run(
        command, cwd=here, env=variables, check=True, capture_output=True, text=True
    )
    assert json.loads(ended.stdout) == {
        "changed": ["YOLO_AUTOINSTALL", "YOLO_OFFLINE", "YOLO_VERBOSE"],
        "gone": [],
        "saves": True,
        "sync": False,
        "threads": 1,
    }
    assert [*home.rglob("*"), *here.rglob("*")] == []

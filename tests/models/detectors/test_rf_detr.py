import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from tests.models.conftest import NUM_CHANNELS, NUM_CLASSES
from tests.models.detector_choices import SMALL
from tests.models.overfit import ap50_after_overfitting

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.detectors import DetectorConfig, rf_detr
from etram_pipeline.training.parameter_groups import parameter_groups
from etram_pipeline.training.settings import TrainSettings

MakeBatch = Callable[..., SequenceBatch]


def small(**changes: object) -> rf_detr.Config:
    return rf_detr.Config.model_validate(SMALL["rf_detr"] | changes)


@pytest.mark.parametrize("size", ["xlarge", "2xlarge"])
def test_sizes_under_another_licence_are_left_out_in_words(size: str) -> None:
    with pytest.raises(ValidationError, match=rf"{size} is published under the Platform Model"):
        rf_detr.Config.model_validate({"size": size})


def test_frames_that_windows_do_not_divide_are_refused_with_the_nearest_sizes() -> None:
    with pytest.raises(ValidationError, match=r"multiples of 32 px .*\[352, 640\] or \[384, 672\]"):
        small(input_size=(360, 640), size="nano")


def test_more_queries_than_patches_are_refused() -> None:
    with pytest.raises(ValidationError, match="set num_queries to at most 24"):
        small(num_queries=25)
    assert small(num_queries=24).shape.num_queries == 24


def test_labels_without_masks_are_refused_where_masks_are_learnt(make_batch: MakeBatch) -> None:
    config = small(size="seg_small", input_size=(48, 72))
    assert config.needs_masks
    assert not small().needs_masks
    batch = make_batch()
    boxes_only = tuple(Targets(each.boxes_xyxy, each.class_ids) for each in batch.targets)
    detector = config.build(NUM_CHANNELS, NUM_CLASSES)
    with pytest.raises(SettingsError, match="learns the masks of objects, but the labels have"):
        detector.losses(replace(batch, targets=boxes_only), ())


def test_without_its_library_the_installation_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    library = "etram_pipeline.models.transformers_library.find_spec"
    monkeypatch.setattr(library, lambda name: None if name == "transformers" else object())
    with pytest.raises(SettingsError, match=r"pip install -e '\.\[detr\]'"):
        small().build(NUM_CHANNELS, NUM_CLASSES)


def test_settings_are_read_without_the_library() -> None:
    code = (
        "import sys; from etram_pipeline.models.detectors import DetectorConfig; "
        "DetectorConfig.model_validate({'kind': 'rf_detr'}); print('transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_only_likely_objects_are_detected_and_no_more_than_wanted(make_batch: MakeBatch) -> None:
    batch, detector = make_batch(), small().build(NUM_CHANNELS, NUM_CLASSES).eval()
    detector.network.detection.class_embed.weight.data.mul_(30)
    with torch.no_grad():
        everything, _ = detector.detect(batch, (), SuppressionSettings(score_threshold=0))
        threshold = float(everything[0].scores[4])
        some, _ = detector.detect(batch, (), SuppressionSettings(score_threshold=threshold))
        few = SuppressionSettings(score_threshold=0, max_detections=3)
        best, _ = detector.detect(batch, (), few)
    assert len(everything[0].scores) == 10 * NUM_CLASSES
    assert torch.equal(some[0].scores, everything[0].scores[:5])
    assert torch.equal(best[0].boxes_xyxy, everything[0].boxes_xyxy[:3])


def test_masks_are_as_large_as_the_frames(make_batch: MakeBatch) -> None:
    config = small(size="seg_small", input_size=(48, 72))
    detector = config.build(NUM_CHANNELS, NUM_CLASSES).eval()
    with torch.no_grad():
        found, _ = detector.detect(make_batch(height=50, width=90), (), SuppressionSettings())
    for each in found:
        assert each.masks is not None
        assert each.masks.shape == (len(each.scores), 50, 90)


def test_losses_are_finite_whatever_the_precision_and_the_scores(make_batch: MakeBatch) -> None:
    detector = small(size="seg_small", input_size=(48, 72)).build(NUM_CHANNELS, NUM_CLASSES)
    detector.network.detection.class_embed.bias.data.fill_(100)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses, _ = detector.train().losses(make_batch(), ())
    assert all(value.isfinite() for value in losses.values())
    assert losses["class"] > 0


def test_layers_of_the_encoder_have_rates_of_their_own() -> None:
    detector = small().build(NUM_CHANNELS, NUM_CLASSES)
    encoder, groups = (
        "network.detection.model.backbone.backbone.",
        {"rate": 1.5, "layer_decay": 0.8},
    )
    train = TrainSettings.model_validate(
        {"optimizer": {"learning_rate": 1e-4, "groups": {encoder: groups}}}
    )
    rates = {
        id(parameter): group["lr"]
        for group in parameter_groups(detector, train.optimizer)
        for parameter in group["params"]
    }
    found = {
        name.removeprefix(encoder): rates[id(parameter)]
        for name, parameter in detector.named_parameters()
    }
    assert found["network.detection.class_embed.weight"] == 1e-4
    assert found["encoder.layer.3.norm1.weight"] == pytest.approx(1.5e-4 * 0.8)
    assert found["encoder.layer.0.norm1.weight"] == pytest.approx(1.5e-4 * 0.8**4)
    assert found["embeddings.cls_token"] == pytest.approx(1.5e-4 * 0.8**5)


def test_building_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    config = DetectorConfig.model_validate({"kind": "rf_detr"} | SMALL["rf_detr"])
    config.build(NUM_CHANNELS, NUM_CLASSES)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_few_frames_are_learnt_by_heart() -> None:
    config = small(input_size=(128, 192), num_queries=20, encoder_dim=64)
    found = ap50_after_overfitting(
        config,
        lambda weights: torch.optim.AdamW(weights, lr=1e-3, weight_decay=1e-4),
        num_steps=150,
    )
    assert found >= 0.9

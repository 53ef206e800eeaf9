"""RT-DETR is the network of transformers, with a memory that changes nothing at first."""

import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tests.models.conftest import NUM_CHANNELS, NUM_CLASSES
from tests.models.detector_choices import SMALL
from tests.models.detectors.test_yolox import NAMES, frames_with_objects, labels_of
from tests.models.overfit import ap50
from tests.models.test_detectors import EVERYTHING
from torch import Tensor
from transformers import RTDetrV2ForObjectDetection

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.models.cells import identity
from etram_pipeline.models.detector import total_loss
from etram_pipeline.models.detectors import rtdetr
from etram_pipeline.models.rtdetr.losses import normalised
from etram_pipeline.models.rtdetr.network import decode

MakeBatch = Callable[..., SequenceBatch]

ALL_WINDOWS = ((0, 0), (0, 1), (1, 0), (1, 1))


def small(cell: str | None = None, **changes: object) -> rtdetr.Config:
    memory = {} if cell is None else {"memory": {"cell": {"kind": cell}}}
    return rtdetr.Config.model_validate(SMALL["rtdetr"] | memory | changes)


def build(config: rtdetr.Config) -> rtdetr.RTDETR:
    return config.build(NUM_CHANNELS, NUM_CLASSES)


def with_memory_of(detector: rtdetr.RTDETR, cell: str, **changes: object) -> rtdetr.RTDETR:
    """The same detector with new cells."""
    remembering = build(small(cell, **changes)).train(detector.training)
    missing = remembering.load_state_dict(detector.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert all(name.startswith("memory.") for name in missing.missing_keys)
    return remembering


def original(detector: rtdetr.RTDETR) -> RTDetrV2ForObjectDetection:
    """The model of transformers with the same weights."""
    network = RTDetrV2ForObjectDetection(detector.network.config)
    weights = {f"model.{name}": value for name, value in detector.network.state_dict().items()}
    for head in ("class_embed", "bbox_embed"):
        inner = getattr(detector.network.decoder, head).state_dict()
        weights |= {f"{head}.{name}": value for name, value in inner.items()}
    network.load_state_dict(weights)
    network.train(detector.training)
    return network


@pytest.mark.parametrize(
    ("backbone", "millions"), [("resnet18", 20), ("resnet34", 31), ("resnet50", 42)]
)
def test_networks_are_as_large_as_published(backbone: str, millions: int) -> None:
    """Source: Lv et al., arXiv 2407.17140, table 2, for COCO."""
    with torch.device("meta"):
        built = rtdetr.Config.model_validate({"backbone": backbone}).build(3, 80).network
    assert sum(weight.numel() for weight in built.parameters()) // 10**6 == millions


def test_detections_are_those_of_transformers(make_batch: MakeBatch) -> None:
    detector, batch = build(small()).eval(), make_batch(height=64, width=96)
    theirs = original(detector)
    frames = batch.select_keyframes(batch.frames).float()
    with torch.no_grad():
        expected = theirs(pixel_values=frames)
        found, _ = detector.detect(batch, (), EVERYTHING)
    for frame, logits, boxes in zip(found, expected.logits, expected.pred_boxes, strict=True):
        scores = logits.sigmoid().flatten().sort(descending=True).values[: len(boxes)]
        assert torch.equal(frame.scores, scores)
        best = int(logits.amax(1).argmax())
        x, y, width, height = boxes[best].tolist()
        corners = torch.tensor([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
        expected_box = (corners * torch.tensor([96, 64, 96, 64])).clamp(0)
        torch.testing.assert_close(frame.boxes_xyxy[0], expected_box)


def test_weights_of_transformers_are_found_under_their_names() -> None:
    detector = build(small())
    weights = original(detector).state_dict()
    own = detector.state_dict()
    translated = detector.translate_weights(weights)
    assert translated.keys() == own.keys()
    assert all(torch.equal(value, own[name]) for name, value in translated.items())
    without_copies = {name: w for name, w in weights.items() if "decoder.class_embed" not in name}
    assert detector.translate_weights(without_copies).keys() == own.keys()


def test_losses_are_those_of_transformers(make_batch: MakeBatch) -> None:
    detector, batch = build(small()).train(), make_batch()
    theirs = original(detector)
    labels = normalised(batch.targets, (64, 64))
    frames = batch.select_keyframes(batch.frames).float()
    torch.manual_seed(1)
    expected = theirs(pixel_values=frames, labels=labels)
    torch.manual_seed(1)
    losses, _ = detector.losses(batch, ())
    torch.testing.assert_close(total_loss(losses), expected.loss)
    assert torch.equal(losses["class"], expected.loss_dict["loss_vfl"])
    assert list(losses) == ["class", "box", "giou", "auxiliary", "denoising", "num_foreground"]
    assert losses["num_foreground"] == 4


@pytest.mark.parametrize("cell", ["conv_lstm", "conv_gru", "s5", "plain_lstm", "enhanced_lstm"])
def test_a_new_memory_changes_nothing(make_batch: MakeBatch, cell: str) -> None:
    batch = make_batch(keyframes=ALL_WINDOWS)
    detector = build(small()).train()
    remembering = with_memory_of(detector, cell)
    torch.manual_seed(1)
    expected, nothing = detector.losses(batch, ())
    torch.manual_seed(1)
    losses, state = remembering.losses(batch, ())
    assert nothing == ()
    assert remembering.memory is not None
    assert len(state) == remembering.memory.num_memories > 0
    assert losses.keys() == expected.keys()
    assert all(torch.equal(losses[name], value) for name, value in expected.items())
    detector.eval()
    remembering.eval()
    with torch.no_grad():
        features, _ = detector.keyframe_features(batch, ())
        same_features, _ = remembering.keyframe_features(batch, state)
        wanted, _ = detector.detect(batch, (), EVERYTHING)
        found, _ = remembering.detect(batch, state, EVERYTHING)
    assert all(map(torch.equal, same_features, features))
    for ours, theirs in zip(found, wanted, strict=True):
        assert torch.equal(ours.scores, theirs.scores)
        assert torch.equal(ours.boxes_xyxy, theirs.boxes_xyxy)


def test_a_memory_learns_from_its_first_step_on(make_batch: MakeBatch) -> None:
    detector = build(small("conv_lstm")).train()
    optimizer = torch.optim.SGD(detector.parameters(), lr=0.01)
    seen: list[Tensor] = []
    for _ in range(2):
        optimizer.zero_grad()
        total_loss(detector.losses(make_batch(keyframes=ALL_WINDOWS), ())[0]).backward()
        assert detector.memory is not None
        grads = [weight.grad for weight in detector.memory.cells.parameters()]
        seen.append(torch.stack([g.abs().max() for g in grads if g is not None]).max())
        assert all(weight.grad.any() for weight in detector.memory.weights)
        optimizer.step()
    assert seen[0] == 0  # of cells that are not listened to yet
    assert seen[1] > 0


@pytest.mark.slow
@pytest.mark.parametrize("cell", [None, "conv_lstm"])
def test_a_few_frames_are_learnt_by_heart_even_after_they_are_over(cell: str | None) -> None:
    """With memory, objects are to be found in a window without events, after one with events."""
    batch = frames_with_objects(4)
    if cell is not None:
        batch = replace(
            batch,
            frames=torch.cat([batch.frames, torch.zeros_like(batch.frames)]),
            keyframes=batch.keyframes + torch.tensor([1, 0]),
            times_us=batch.times_us.expand(2, 4) if batch.times_us is not None else None,
        )
    detector = build(small(cell, width=16, hidden_size=64, num_denoising=20)).train()
    optimizer = torch.optim.AdamW(detector.parameters(), lr=1e-3)
    for _ in range(60 if cell is None else 100):
        optimizer.zero_grad()
        total_loss(detector.losses(batch, ())[0]).backward()
        optimizer.step()
    assert ap50(detector, batch, labels_of(batch), NAMES) > 0.9


def test_no_memory_means_that_only_keyframes_count(make_batch: MakeBatch) -> None:
    detector, batch = build(small()).eval(), make_batch()
    assert not detector.has_memory
    assert build(small("identity")).memory is None
    assert small().memory.cell == identity.Config()
    altered = batch.frames.clone()
    altered[0, 1] = altered[1, 0] = 99
    with torch.no_grad():
        found, _ = detector.detect(batch, (), EVERYTHING)
        expected, _ = detector.detect(replace(batch, frames=altered), (), EVERYTHING)
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours.scores, theirs.scores)


def test_small_frames_have_fewer_boxes_than_queries(make_batch: MakeBatch) -> None:
    detector = build(small(num_queries=300)).eval()
    with torch.no_grad():
        found, _ = detector.detect(make_batch(height=32, width=64), (), EVERYTHING)
        maps, _ = detector.keyframe_features(make_batch(height=32, width=64), ())
        boxes = decode(detector.network, maps, 300).intermediate_reference_points
        (big, _), _ = detector.detect(make_batch(height=128, width=128), (), EVERYTHING)
    assert boxes.shape[2] == 4 * 8 + 2 * 4 + 1 * 2
    assert all(0 < len(each.scores) <= 42 for each in found)
    assert 42 < len(big.scores) <= 300


def test_what_inference_mode_has_computed_does_not_hinder_training(make_batch: MakeBatch) -> None:
    batch = make_batch(height=64, width=160)
    detector = build(small())
    with torch.inference_mode():
        detector.eval().detect(batch, (), EVERYTHING)
    total_loss(detector.train().losses(batch, ())[0]).backward()


def test_boxes_are_exact_in_mixed_precision(make_batch: MakeBatch) -> None:
    detector, batch = build(small("conv_lstm")).eval(), make_batch()
    with torch.no_grad():
        expected, _ = detector.keyframe_features(batch, ())
        with torch.autocast("cpu", torch.bfloat16):
            maps, state = detector.keyframe_features(batch, ())
            output = decode(detector.network, maps, 40)
            losses, _ = detector.train().losses(batch, state)
    boxes = output.intermediate_reference_points
    assert boxes.dtype == torch.float32
    assert not torch.equal(boxes, boxes.bfloat16().float())
    assert all(memory.dtype == torch.float32 for memory in state)
    assert all(value.dtype == torch.float32 for value in losses.values())
    assert len(maps) == len(expected)


def test_a_network_that_has_diverged_has_a_loss_that_says_so(make_batch: MakeBatch) -> None:
    detector = build(small()).train()
    with torch.no_grad():
        detector.network.decoder.bbox_embed[0].layers[-1].bias.fill_(torch.nan)
    losses, _ = detector.losses(make_batch(), ())
    assert total_loss(losses).isnan()


def test_a_state_of_other_lanes_is_refused(make_batch: MakeBatch) -> None:
    detector = build(small("conv_lstm"))
    _, state = detector.losses(make_batch(), ())
    one = replace(make_batch(), frames=make_batch().frames[:, :1], starts=torch.tensor([False]))
    with pytest.raises(ValueError, match=r"remembers \[2\] lanes, but the batch has 1"):
        detector.losses(one, state)


def test_an_absent_library_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("etram_pipeline.models.transformers_library.find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"pip install -e '.\[detr\]'") as error:
        build(small())
    assert "\n" not in str(error.value)


def test_settings_are_read_without_the_library() -> None:
    assert "etram_pipeline.models.detectors.rtdetr" in sys.modules
    with pytest.raises(ValueError, match="resnet18"):
        rtdetr.Config.model_validate({"backbone": "resnet19"})
    with pytest.raises(ValueError, match="multiple of 8"):
        rtdetr.Config.model_validate({"hidden_size": 20})

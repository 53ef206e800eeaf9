"""Our RF-DETR and that of its authors, with the same weights."""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from etram_pipeline.models.checkpoint import Checkpoint
from etram_pipeline.models.detectors import rf_detr
from etram_pipeline.models.rf_detr.criterion import compute_losses
from etram_pipeline.models.rf_detr.matching import NormalisedTargets
from etram_pipeline.models.rf_detr.network import RFDETRNetwork
from etram_pipeline.models.rf_detr.sizes import SIZES, SizeName
from etram_pipeline.models.rf_detr.weights import translate
from etram_pipeline.training.start import take_weights

NUM_CHANNELS, NUM_CLASSES, NUM_QUERIES, NUM_GROUPS = 5, 3, 20, 13
NOT_USED = {"detection._kp_active_mask", "detection.model.backbone.backbone.embeddings.mask_token"}

CONFIGS: dict[SizeName, str] = {
    "nano": "RFDETRNanoConfig",
    "small": "RFDETRSmallConfig",
    "medium": "RFDETRMediumConfig",
    "large": "RFDETRLargeConfig",
    "seg_nano": "RFDETRSegNanoConfig",
    "seg_small": "RFDETRSegSmallConfig",
    "seg_medium": "RFDETRSegMediumConfig",
    "seg_large": "RFDETRSegLargeConfig",
    "seg_xlarge": "RFDETRSegXLargeConfig",
    "seg_2xlarge": "RFDETRSeg2XLargeConfig",
}

COMPARED: list[tuple[SizeName, tuple[int, int]]] = [("nano", (96, 160)), ("seg_small", (72, 120))]


def settings_of(size: SizeName, **changes: object) -> Any:  # noqa: ANN401
    from rfdetr import config

    # With a file of weights, which is not read, nothing is fetched.
    given = {"pretrain_weights": "none.pth", "device": "cpu"} | changes
    return getattr(config, CONFIGS[size])(**given)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("size", SIZES)
def test_sizes_are_those_of_the_original(size: SizeName) -> None:
    original, ours = settings_of(size), SIZES[size]
    assert (original.resolution, original.patch_size, original.num_windows) == (
        ours.resolution,
        ours.patch_size,
        ours.num_windows,
    )
    assert (original.dec_layers, original.num_queries) == (ours.decoder_layers, ours.num_queries)
    assert original.segmentation_head == ours.has_masks
    assert original.positional_encoding_size == ours.resolution // ours.patch_size
    assert original.license == "Apache-2.0"


@pytest.fixture(params=COMPARED, ids=str)
def pair(request: pytest.FixtureRequest) -> tuple[Any, RFDETRNetwork, Tensor]:
    """The original, ours with its weights, and frames that are not square."""
    from rfdetr.models.lwdetr import build_model_from_config

    size, (height, width) = request.param
    torch.manual_seed(0)
    original: Any = build_model_from_config(
        settings_of(size, num_classes=NUM_CLASSES - 1, num_queries=NUM_QUERIES)
    )
    embeddings = original.backbone[0].encoder.encoder.embeddings.patch_embeddings
    patch = SIZES[size].patch_size
    embeddings.projection = nn.Conv2d(NUM_CHANNELS, 384, patch, stride=patch)
    embeddings.num_channels = NUM_CHANNELS
    with torch.no_grad():
        for weight in original.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.02)  # many are equal or 0 at first
    ours = RFDETRNetwork(replace(SIZES[size], num_queries=NUM_QUERIES), NUM_CHANNELS, NUM_CLASSES)
    weights = translate(original.state_dict(), ours.state_dict(), NUM_GROUPS)
    assert weights.keys() - ours.state_dict().keys() == NOT_USED
    ours.load_state_dict({name: weights[name] for name in ours.state_dict()})
    # In single precision, sums of hundreds of products differ by more than what is compared.
    frames = torch.rand(2, NUM_CHANNELS, height, width, dtype=torch.float64)
    return original.double(), ours.double(), frames


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_published_files_of_weights_are_a_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str
) -> None:
    from rfdetr.models.lwdetr import build_model_from_config

    published = build_model_from_config(settings_of("nano")).state_dict()
    path = tmp_path / f"rf-detr-nano{suffix}"
    if suffix == ".pth":
        torch.save({"model": published, "args": Namespace(resolution=384)}, path)
    else:
        save_file({name: tensor.contiguous() for name, tensor in published.items()}, path)
    config = rf_detr.Config(input_size=(64, 160), num_queries=NUM_QUERIES)
    detector = config.build(NUM_CHANNELS, NUM_CLASSES)
    classes = {name for name in detector.state_dict() if "class_embed" in name}
    before = {name: detector.state_dict()[name].clone() for name in classes}

    with caplog.at_level("INFO"):
        take_weights(Checkpoint(detector, config, NUM_CHANNELS, ("a", "b", "c"), 3), path)

    found, num_random = detector.state_dict(), 2 * (NUM_GROUPS + 1)
    assert len(classes) == num_random
    assert f"{num_random} weights keep their initial values: network.detection." in caplog.text
    assert all(torch.equal(found[name], tensor) for name, tensor in before.items())
    backbone = "network.detection.model.backbone.backbone"
    name = "encoder.layer.3.mlp.fc1.weight"
    assert torch.equal(found[f"{backbone}.{name}"], published[f"backbone.0.encoder.encoder.{name}"])
    name = "embeddings.patch_embeddings.projection.weight"
    colours = published[f"backbone.0.encoder.encoder.{name}"].sum(1)
    torch.testing.assert_close(found[f"{backbone}.{name}"].sum(1), colours)
    queries = published["query_feat.weight"].view(NUM_GROUPS, 300, 256)[:, :NUM_QUERIES]
    assert torch.equal(found["network.detection.model.query_feat.weight"], queries.flatten(0, 1))


def test_position_embeddings_of_another_resolution_are_resized() -> None:
    name = "detection.model.backbone.backbone.embeddings.position_embeddings"
    own = {name: torch.empty(1, 1 + 6 * 6, 8)}
    rows = torch.arange(3.0).repeat_interleave(3).view(1, 9, 1).expand(1, 9, 8)
    given = torch.cat([torch.full((1, 1, 8), 7.0), rows], dim=1)
    key = "backbone.0.encoder.encoder.embeddings.position_embeddings"
    (resized,) = translate({key: given}, own, NUM_GROUPS).values()
    assert resized.shape == own[name].shape
    assert torch.equal(resized[:, :1], given[:, :1])
    square = resized[0, 1:, 0].view(6, 6)
    torch.testing.assert_close(square, square[:, :1].expand(6, 6))
    assert (square[:, 0].diff() > 0).all()


def assert_close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_outputs_and_losses_are_those_of_the_original(
    pair: tuple[Any, RFDETRNetwork, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, ours, frames = pair
    check_outputs(original.eval(), ours.eval(), frames)
    monkeypatch.setattr(torch, "rand", same_numbers(torch.rand))
    check_losses(original.float().train(), ours.float().train(), frames.float())


def check_outputs(original: Any, ours: RFDETRNetwork, frames: Tensor) -> None:  # noqa: ANN401
    with torch.no_grad():
        theirs, layer = original(frames), ours(frames)[-1]
    assert_close(layer.logits, theirs["pred_logits"])
    assert_close(layer.boxes, theirs["pred_boxes"])
    if layer.masks is not None:
        queries = torch.arange(NUM_QUERIES)
        for frame, masks in enumerate(theirs["pred_masks"]):
            assert_close(layer.masks.logits(frame, queries), masks)


def same_numbers(rand: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`torch.rand` with the same numbers for each call of as many numbers."""

    def drawn(*size: int, **options: Any) -> Tensor:  # noqa: ANN401
        return rand(*size, **options, generator=torch.Generator().manual_seed(1))

    return drawn


def check_losses(original: Any, ours: RFDETRNetwork, frames: Tensor) -> None:  # noqa: ANN401
    from rfdetr._namespace import _namespace_from_configs
    from rfdetr.config import SegmentationTrainConfig
    from rfdetr.models.lwdetr import build_criterion_and_postprocessors

    has_masks = ours.mask_head is not None
    size: SizeName = "seg_small" if has_masks else "nano"
    arguments = _namespace_from_configs(
        settings_of(size, num_classes=NUM_CLASSES - 1), SegmentationTrainConfig(dataset_dir=".")
    )
    criterion, _ = build_criterion_and_postprocessors(arguments)
    targets = [
        NormalisedTargets(
            torch.tensor(classes, dtype=torch.int64),
            torch.rand(len(classes), 4) * 0.3 + 0.2,
            torch.rand(len(classes), *frames.shape[2:]) > 0.5 if has_masks else None,
        )
        for classes in ([0, 2, 1], [1])
    ]
    as_theirs: list[dict[str, Tensor]] = []
    for target in targets:
        given = {"labels": target.class_ids, "boxes": target.boxes}
        as_theirs.append(given if target.masks is None else given | {"masks": target.masks})
    theirs = criterion(original(frames), as_theirs)
    found = compute_losses(ours(frames), targets, NUM_GROUPS)
    weight = criterion.weight_dict
    names = {"class": "ce", "box": "bbox", "giou": "giou", "mask": "mask_ce", "dice": "mask_dice"}
    for name, key in names.items():
        if name in found:
            assert_close(found[name], weight[f"loss_{key}"] * theirs[f"loss_{key}"])
    total = sum(value for name, value in found.items() if not name.startswith("num_"))
    expected = sum(weight[key] * value for key, value in theirs.items() if key in weight)
    assert_close(torch.as_tensor(total), torch.as_tensor(expected))
    assert found["num_foreground"] == 4

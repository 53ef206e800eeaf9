"""RT-DETRv2 of transformers, in two parts: frames to maps, and maps to boxes."""

import sys
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from etram_pipeline.models.necks import FeatureMaps
from etram_pipeline.models.transformers_library import free_lengths, require_transformers

STRIDES = (8, 16, 32)
"""Strides of the encoder's maps."""

NUM_HEADS = 8
"""Attention heads of encoder and decoder, as published."""

PRIOR = 0.01
"""Score of every box before training, as published."""

Backbone = Literal["resnet18", "resnet34", "resnet50"]


@dataclass(frozen=True)
class Published:
    """What differs between the published sizes of RT-DETR.

    Source: lyuwenyu/RT-DETR rtdetrv2_pytorch/configs/rtdetrv2.

    Attributes:
        depths: Blocks in each stage of the backbone.
        is_deep: Whether a block has three convolutions and four times the channels, or two.
        expansion: Channels inside the encoder's blocks, as a share of those outside.
        decoder_layers: Layers of the decoder.
    """

    depths: tuple[int, int, int, int]
    is_deep: bool
    expansion: float
    decoder_layers: int


PUBLISHED: dict[str, Published] = {
    "resnet18": Published((2, 2, 2, 2), is_deep=False, expansion=0.5, decoder_layers=3),
    "resnet34": Published((3, 4, 6, 3), is_deep=False, expansion=0.5, decoder_layers=4),
    "resnet50": Published((3, 4, 6, 3), is_deep=True, expansion=1.0, decoder_layers=6),
}


@dataclass(frozen=True)
class Shape:
    """Sizes of a network.

    Attributes:
        in_channels: Channels of the frames.
        num_classes: Classes to distinguish.
        backbone: Name of the backbone.
        width: Channels of the backbone's first stage.
        hidden_size: Channels of the encoder's maps and of the decoder.
        decoder_layers: Layers of the decoder.
        num_queries: Boxes of each frame.
        num_denoising: Queries that training adds, made of noisy targets.
    """

    in_channels: int
    num_classes: int
    backbone: Backbone
    width: int
    hidden_size: int
    decoder_layers: int
    num_queries: int
    num_denoising: int


def build_network(shape: Shape) -> Any:  # noqa: ANN401, transformers is not typed
    """An `RTDetrV2Model` of transformers with its heads, and with new weights.

    Raises:
        SettingsError: If transformers is not installed.
    """
    require_transformers("rtdetr")
    from transformers import RTDetrV2Config, RTDetrV2ForObjectDetection

    published = PUBLISHED[shape.backbone]
    channels = [
        shape.width * (4 if published.is_deep else 1) * 2**stage
        for stage in range(len(published.depths))
    ]
    make_config: Any = RTDetrV2Config  # takes more than its signature says
    config = make_config(
        backbone_config={
            "model_type": "rt_detr_resnet",
            "num_channels": shape.in_channels,
            "embedding_size": shape.width,
            "hidden_sizes": channels,
            "depths": list(published.depths),
            "layer_type": "bottleneck" if published.is_deep else "basic",
            "out_features": ["stage2", "stage3", "stage4"],
        },
        # Published networks freeze only the statistics of a backbone that was trained before.
        freeze_backbone_batch_norms=False,
        encoder_in_channels=channels[1:],
        feat_strides=list(STRIDES),
        encoder_hidden_dim=shape.hidden_size,
        encoder_ffn_dim=4 * shape.hidden_size,
        encoder_attention_heads=NUM_HEADS,
        hidden_expansion=published.expansion,
        d_model=shape.hidden_size,
        decoder_in_channels=[shape.hidden_size] * len(STRIDES),
        decoder_ffn_dim=4 * shape.hidden_size,
        decoder_attention_heads=NUM_HEADS,
        decoder_layers=shape.decoder_layers,
        num_queries=shape.num_queries,
        num_denoising=shape.num_denoising,
        num_labels=shape.num_classes,
        initializer_bias_prior_prob=PRIOR,
        tie_word_embeddings=False,
    )
    # The outer model has a second copy of the heads, which the inner one does not need.
    network = RTDetrV2ForObjectDetection(config).model
    _initialise(network)
    for projection in network.decoder_input_proj:
        projection.register_forward_hook(_in_single_precision)
    return network


def encode(network: Any, frames: Float[Tensor, "N C H W"]) -> FeatureMaps:  # noqa: ANN401
    """The encoder's maps of frames whose sides are multiples of the last stride."""
    features = network.backbone.model(frames).feature_maps
    projected = [
        project(each) for project, each in zip(network.encoder_input_proj, features, strict=True)
    ]
    return tuple(network.encoder(projected).last_hidden_state)


def decode(
    network: Any,  # noqa: ANN401
    maps: FeatureMaps,
    num_queries: int,
    labels: list[dict[str, Tensor]] | None = None,
) -> Any:  # noqa: ANN401
    """The output of all layers of the decoder.

    Args:
        network: The network.
        maps: Its encoder's maps.
        num_queries: Boxes of each frame; fewer if the maps have fewer places.
        labels: Classes and boxes of each frame in training, for the denoising queries.
    """
    places = sum(each.shape[-2] * each.shape[-1] for each in maps)
    # Queries are chosen among the places of the maps; no weight depends on their number.
    network.config.num_queries = min(num_queries, places)
    with free_lengths(sys.modules[type(network).__module__]):
        return network(None, inputs_embeds=maps[0], encoder_outputs=(list(maps),), labels=labels)


def _in_single_precision(_: nn.Module, __: object, maps: Tensor) -> Tensor:
    """The maps in single precision, as anchors and boxes take their type.

    In bfloat16, boxes would be rounded to 1/256 of the frame.
    """
    return maps.to(torch.promote_types(maps.dtype, torch.float32))


def _initialise(network: Any) -> None:  # noqa: ANN401
    """Draw weights as the authors of RT-DETR do.

    transformers draws those of convolutions and of batch normalisation with a standard deviation
    of 0.01, so that hardly any signal passes a network that was not trained before.

    Source: lyuwenyu/RT-DETR rtdetrv2_pytorch/src/zoo/rtdetr/rtdetrv2_decoder.py.
    """
    kept = ("backbone.", "enc_score_head", "decoder.class_embed")
    for name, module in network.named_modules():
        is_drawn = not name.startswith(kept) and ".encoder_attn." not in name
        if is_drawn and isinstance(module, (nn.Conv2d, nn.BatchNorm2d, nn.Linear)):
            module.reset_parameters()
    for head in (network.enc_bbox_head, *network.decoder.bbox_embed):
        nn.init.zeros_(head.layers[-1].weight)
        nn.init.zeros_(head.layers[-1].bias)
    for layer in (network.enc_output[0], *network.decoder.query_pos_head.layers):
        nn.init.xavier_uniform_(layer.weight)

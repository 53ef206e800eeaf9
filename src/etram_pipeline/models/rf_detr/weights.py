"""Weights of the rfdetr package under the names of our network."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import interpolate

_RENAMED = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"^backbone\.0\.encoder\.encoder\.", "model.backbone.backbone."),
        (r"^backbone\.0\.projector\.stages\.0\.1\.", "model.backbone.projector.layer_norm."),
        (r"^backbone\.0\.projector\.stages\.0\.0\.", "model.backbone.projector.projector_layer."),
        (r"^transformer\.", "model."),
        (r"^refpoint_embed\.", "model.reference_point_embed."),
        (r"^query_feat\.", "model.query_feat."),
        (r"\.attention\.attention\.(q|k|v)(uery|ey|alue)\.", r".attention.\1_proj."),
        (r"\.attention\.output\.dense\.", ".attention.o_proj."),
        (r"\.m\.(\d+)\.", r".bottlenecks.\1."),
        (r"\.cv(\d)\.conv\.", r".conv\1.conv."),
        (r"\.cv(\d)\.bn\.", r".conv\1.norm."),
        (r"\.decoder\.norm\.", ".decoder.layernorm."),
        (r"\.self_attn\.out_proj\.", ".self_attn.o_proj."),
        (r"(decoder\.layers\.\d+)\.norm1\.", r"\1.self_attn_layer_norm."),
        (r"(decoder\.layers\.\d+)\.norm2\.", r"\1.cross_attn_layer_norm."),
        (r"(decoder\.layers\.\d+)\.norm3\.", r"\1.layer_norm."),
        (r"(decoder\.layers\.\d+)\.linear(\d)\.", r"\1.mlp.fc\2."),
    )
)

_MASK_HEAD = "segmentation_head."

_RENAMED_IN_MASK_HEAD = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"^bias$", "segmentation_bias"),
        (r"^(blocks\.\d+)\.norm\.", r"\1.layernorm."),
        (r"\.dwconv\.", ".depthwise_conv."),
        (r"\.pwconv1\.", ".pointwise_conv."),
        (r"\.norm_in\.", ".norm."),
        (r"\.layers\.0\.", ".mlp.fc1."),
        (r"\.layers\.2\.", ".mlp.fc2."),
    )
)

_JOINED = re.compile(r"\.self_attn\.in_proj_(weight|bias)$")

_QUERIES = ("reference_point_embed.weight", "query_feat.weight")

_POSITIONS = "position_embeddings"


def translate(
    weights: Mapping[str, Tensor], own: Mapping[str, Tensor], num_groups: int
) -> dict[str, Tensor]:
    """Weights as `RFDETRNetwork` names them.

    Position embeddings are resized to the size of the network. Of each group of queries, the first
    ones are taken if the network has fewer.

    Args:
        weights: Weights in the layout of the rfdetr package.
        own: Weights of the network.
        num_groups: Groups of queries in both.
    """
    renamed = dict(pair for name, tensor in weights.items() for pair in _rename(name, tensor))
    return {
        name: _fit(name, tensor, own[name], num_groups) if name in own else tensor
        for name, tensor in renamed.items()
    }


def _rename(name: str, tensor: Tensor) -> list[tuple[str, Tensor]]:
    if name.startswith(_MASK_HEAD):
        inner = _substitute(name.removeprefix(_MASK_HEAD), _RENAMED_IN_MASK_HEAD)
        return [(f"mask_head.{inner}", tensor)]
    new = "detection." + _substitute(name, _RENAMED)
    joined = _JOINED.search(new)
    if joined is None:
        return [(new, tensor)]
    start = new[: joined.start()] + ".self_attn."
    parts = zip("qkv", tensor.chunk(3), strict=True)
    return [(f"{start}{letter}_proj.{joined[1]}", part) for letter, part in parts]


def _substitute(name: str, renamed: tuple[tuple[re.Pattern[str], str], ...]) -> str:
    for pattern, new in renamed:
        name = pattern.sub(new, name)
    return name


def _fit(name: str, tensor: Tensor, own: Tensor, num_groups: int) -> Tensor:
    if name.endswith(_POSITIONS):
        return _resize_positions(tensor, own.shape[1] - 1)
    if name.endswith(_QUERIES) and len(tensor) % num_groups == 0:
        groups = tensor.unflatten(0, (num_groups, -1))
        kept: Tensor = groups[:, : len(own) // num_groups].flatten(0, 1)
        return kept
    return tensor


def _resize_positions(positions: Tensor, number: int) -> Tensor:
    """Embeddings of the class token and of a square of `number` patches."""
    of_class, of_patches = positions[:, :1], positions[:, 1:]
    old, new = (round(count**0.5) for count in (of_patches.shape[1], number))
    if old == new or old**2 != of_patches.shape[1]:
        return positions
    square = of_patches.unflatten(1, (old, old)).movedim(-1, 1).float()
    resized = interpolate(square, (new, new), mode="bicubic", antialias=True)
    patches = resized.movedim(1, -1).flatten(1, 2).to(positions.dtype)
    return torch.cat([of_class, patches], dim=1)

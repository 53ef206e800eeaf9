"""Frames, boxes and memories at another resolution."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn.functional import interpolate

from etram_pipeline.core.batch import Targets


def resize_frames(
    frames: Shaped[Tensor, "T B C H W"], height: int, width: int
) -> Shaped[Tensor, "T B C h w"]:
    """Frames of `height` x `width` px, as they are if that is their size.

    Pixels are averaged rather than left out, as an event that falls between two rows is still one.
    Other sizes come out in single precision or better.
    """
    if frames.shape[-2:] == (height, width):
        return frames
    flat = frames.flatten(0, 1)
    flat = flat.to(torch.promote_types(flat.dtype, torch.float32))
    resized = interpolate(flat, size=(height, width), mode="bilinear", antialias=True)
    sized: Tensor = resized.unflatten(0, frames.shape[:2])
    return sized


def resize_targets(
    targets: tuple[Targets, ...], size: tuple[int, int], new_size: tuple[int, int]
) -> tuple[Targets, ...]:
    """Boxes in px of images of `new_size` instead of `size`, each height and width."""
    if size == new_size or not targets:
        return targets
    ratios = _ratios(targets[0].boxes_xyxy, size, new_size)
    return tuple(Targets(target.boxes_xyxy * ratios, target.class_ids) for target in targets)


def resize_boxes(
    boxes_cxcywh: Float[Tensor, "*images A 4"], size: tuple[int, int], new_size: tuple[int, int]
) -> Float[Tensor, "*images A 4"]:
    """Boxes in px of images of `new_size` instead of `size`, each height and width."""
    if size == new_size:
        return boxes_cxcywh
    return boxes_cxcywh * _ratios(boxes_cxcywh, size, new_size)


def _ratios(like: Tensor, size: tuple[int, int], new_size: tuple[int, int]) -> Float[Tensor, " 4"]:
    vertical, horizontal = (new / old for new, old in zip(new_size, size, strict=True))
    return like.new_tensor([horizontal, vertical] * 2)

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
    boxes = resize_boxes(torch.cat([target.boxes_xyxy for target in targets]), size, new_size)
    of_images = boxes.split([len(target.class_ids) for target in targets])
    return tuple(
        Targets(of_image, target.class_ids)
        for of_image, target in zip(of_images, targets, strict=True)
    )


def resize_boxes(
    boxes: Float[Tensor, "*images A 4"], size: tuple[int, int], new_size: tuple[int, int]
) -> Float[Tensor, "*images A 4"]:
    """Boxes, of corners or centre and size, in px of images of `new_size` instead of `size`."""
    if size == new_size:
        return boxes
    vertical, horizontal = (new / old for new, old in zip(new_size, size, strict=True))
    # Ratios that are numbers here need not be sent to a GPU, which would be waited for.
    x, y = boxes[..., 0::2] * horizontal, boxes[..., 1::2] * vertical
    return torch.stack([x, y], dim=-1).flatten(-2)

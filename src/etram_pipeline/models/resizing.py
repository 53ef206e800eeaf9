"""Frames, boxes, masks and memories at another resolution."""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor
from torch.nn.functional import interpolate, pad

from etram_pipeline.core.batch import Targets

_HALF = 0.5


def frame_size(frames: Shaped[Tensor, "*batch C H W"]) -> tuple[int, int]:
    """Height and width in px."""
    return frames.shape[-2], frames.shape[-1]


def scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Height and width times `scale`, in whole px and at least 1."""
    height, width = (max(round(length * scale), 1) for length in size)
    return height, width


def resize_frames(
    frames: Shaped[Tensor, "*batch C H W"], height: int, width: int
) -> Shaped[Tensor, "*batch C h w"]:
    """Frames of `height` x `width` px; the same tensor if that is their size.

    Pixels are averaged, not skipped, so that no event is lost between two rows. Resized frames are
    in single precision or better.
    """
    if frame_size(frames) == (height, width):
        return frames
    flat = frames.flatten(0, -4)
    flat = flat.to(torch.promote_types(flat.dtype, torch.float32))
    resized = interpolate(flat, size=(height, width), mode="bilinear", antialias=True)
    sized: Tensor = resized.unflatten(0, frames.shape[:-3])
    return sized


def pad_to_multiple(
    frames: Shaped[Tensor, "*batch C H W"], multiple: int
) -> Shaped[Tensor, "*batch C h w"]:
    """Frames with zeros added at the bottom and on the right up to a multiple of `multiple` px."""
    height, width = frame_size(frames)
    right, bottom = -width % multiple, -height % multiple
    return pad(frames, (0, right, 0, bottom)) if right or bottom else frames


def pad_masks(targets: tuple[Targets, ...], multiple: int) -> tuple[Targets, ...]:
    """Targets whose masks are padded as `pad_to_multiple` pads the frames."""
    return tuple(
        target
        if target.masks is None
        else replace(target, masks=pad_to_multiple(target.masks, multiple))
        for target in targets
    )


def resize_targets(
    targets: tuple[Targets, ...], size: tuple[int, int], new_size: tuple[int, int]
) -> tuple[Targets, ...]:
    """Targets of images that are resized from `size` to `new_size`, each (height, width)."""
    if size == new_size or not targets:
        return targets
    boxes = resize_boxes(torch.cat([target.boxes_xyxy for target in targets]), size, new_size)
    of_images = boxes.split([len(target.class_ids) for target in targets])
    return tuple(
        replace(
            target,
            boxes_xyxy=of_image,
            masks=None if target.masks is None else resize_masks(target.masks, *new_size),
        )
        for of_image, target in zip(of_images, targets, strict=True)
    )


def resize_masks(
    masks: Bool[Tensor, "N H W"], height: int, width: int
) -> Bool[Tensor, "N height width"]:
    """Masks of images that are resized to `height` x `width` px; a pixel is set if half of it is.

    A mask of less than half a pixel may become empty.
    """
    if frame_size(masks) == (height, width):
        return masks
    resized: Tensor = resize_frames(masks[:, None].float(), height, width)[:, 0] >= _HALF
    return resized


def resize_boxes(
    boxes: Float[Tensor, "*images A 4"], size: tuple[int, int], new_size: tuple[int, int]
) -> Float[Tensor, "*images A 4"]:
    """Boxes (corners, or centre and size) of images that are resized from `size` to `new_size`."""
    if size == new_size:
        return boxes
    vertical, horizontal = (new / old for new, old in zip(new_size, size, strict=True))
    # Ratios as numbers need no copy to a GPU, which would have to wait for it.
    x, y = boxes[..., 0::2] * horizontal, boxes[..., 1::2] * vertical
    return torch.stack([x, y], dim=-1).flatten(-2)

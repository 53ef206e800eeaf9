"""Boxes as tensors, in px; a name says which format it holds (see `core.boxes`)."""

import torch
from jaxtyping import Float
from torch import Tensor


def cxcywh_to_xyxy(boxes_cxcywh: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """Corners of boxes given by centre and size."""
    centre, size = boxes_cxcywh.split(2, dim=-1)
    return torch.cat([centre - size / 2, centre + size / 2], dim=-1)


def xyxy_to_cxcywh(boxes_xyxy: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """Centre and size of boxes given by their corners."""
    top_left, bottom_right = boxes_xyxy.split(2, dim=-1)
    return torch.cat([(top_left + bottom_right) / 2, bottom_right - top_left], dim=-1)


def as_shares(
    boxes_xyxy: Float[Tensor, "*batch 4"], size: tuple[int, int]
) -> Float[Tensor, "*batch 4"]:
    """Centre and size of boxes as shares of the width and height of an image.

    Args:
        boxes_xyxy: Corners in px.
        size: Height and width of the image in px.
    """
    height, width = size
    boxes = xyxy_to_cxcywh(boxes_xyxy)
    # Sides as numbers need no copy to a GPU, which would have to wait for it.
    return torch.stack([boxes[..., 0::2] / width, boxes[..., 1::2] / height], dim=-1).flatten(-2)


def iou(a_cxcywh: Float[Tensor, "*#batch 4"], b_cxcywh: Float[Tensor, "*#batch 4"]) -> Tensor:
    """Intersection over union of boxes that broadcast against each other."""
    a, b = cxcywh_to_xyxy(a_cxcywh), cxcywh_to_xyxy(b_cxcywh)
    overlap = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    # In the backward pass, `prod` looks for zeros, which synchronises a GPU.
    width, height = overlap.clamp(min=0).unbind(-1)
    intersection = width * height
    area_a, area_b = a_cxcywh[..., 2] * a_cxcywh[..., 3], b_cxcywh[..., 2] * b_cxcywh[..., 3]
    # Both areas may underflow; the overlap is then 0.
    return intersection / (area_a + area_b - intersection + 1e-16)

"""Which query learns which object."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import softplus
from torchvision.ops import generalized_box_iou

from etram_pipeline.models.boxes import cxcywh_to_xyxy
from etram_pipeline.models.rf_detr.outputs import LayerOutput, at_points

CLASS_COST, BOX_COST, GIOU_COST, MASK_COST, DICE_COST = 2.0, 5.0, 2.0, 5.0, 5.0

ALPHA = 0.25
"""Weight of objects in the class cost, and of the score in the class target."""

POINT_SHARE = 16
"""Pixels per point at which masks are compared."""

INFEASIBLE = 1e6
"""Cost in place of NaN and infinity, so that such a pair is chosen last."""


@dataclass(frozen=True)
class NormalisedTargets:
    """Ground truth of a frame as RF-DETR predicts it.

    Attributes:
        class_ids: Class of each object.
        boxes: Centre and size of each box, as shares of the frame's width and height.
        masks: Pixels of each object; None: the network predicts no masks.
    """

    class_ids: Int64[Tensor, " N"]
    boxes: Float[Tensor, "N 4"]
    masks: Tensor | None = None


@dataclass(frozen=True)
class Matches:
    """Pairs of a query and an object in all frames of a batch, frame by frame.

    Attributes:
        frames: Frame of each pair.
        queries: Query of each pair.
        objects: Object of each pair, counted within its frame.
    """

    frames: Int64[Tensor, " M"]
    queries: Int64[Tensor, " M"]
    objects: Int64[Tensor, " M"]


@torch.no_grad()
def match(
    layers: list[LayerOutput], targets: list[NormalisedTargets], num_groups: int
) -> list[Matches]:
    """The cheapest one-to-one assignment of objects to the queries of each group, by layer.

    Source: Carion et al., "End-to-End Object Detection with Transformers", arXiv 2005.12872,
    section 3.1; Chen et al., "Group DETR", arXiv 2207.13085; roboflow/rf-detr 1.11
    rfdetr/models/matcher.py.
    """
    costs = [
        _costs(layer, frame, target) for layer in layers for frame, target in enumerate(targets)
    ]
    sizes = [cost.numel() for cost in costs]
    # One copy for all layers: each would make a GPU wait.
    on_cpu = torch.cat([cost.flatten() for cost in costs]).cpu().split(sizes)
    pairs = [
        _assign(flat.view(cost.shape).nan_to_num(INFEASIBLE, INFEASIBLE, INFEASIBLE), num_groups)
        for flat, cost in zip(on_cpu, costs, strict=True)
    ]
    device = layers[0].logits.device
    step = len(targets)
    return [_joined(pairs[first : first + step], device) for first in range(0, len(pairs), step)]


def _costs(
    layer: LayerOutput, frame: int, target: NormalisedTargets
) -> Float[Tensor, "queries objects"]:
    logits, boxes = layer.logits[frame][:, target.class_ids], layer.boxes[frame]
    scores = logits.sigmoid()
    as_object = ALPHA * (1 - scores) ** 2 * softplus(-logits)
    as_nothing = (1 - ALPHA) * scores**2 * softplus(logits)
    overlap = generalized_box_iou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(target.boxes))
    cost: Tensor = (
        BOX_COST * torch.cdist(boxes, target.boxes, p=1)
        + CLASS_COST * (as_object - as_nothing)
        - GIOU_COST * overlap
    )
    if layer.masks is not None and target.masks is not None:
        cost = cost + _mask_costs(layer, frame, target.masks)
    return cost


def _mask_costs(layer: LayerOutput, frame: int, masks: Tensor) -> Float[Tensor, "queries objects"]:
    if layer.masks is None:
        raise ValueError("this layer has no masks")
    height, width = layer.masks.features.shape[2:]
    points = torch.rand(max(height * width // POINT_SHARE, 1), 2, device=layer.boxes.device)
    logits = layer.masks.logits_at(frame, points)
    wanted = at_points(masks, points.expand(len(masks), -1, -1)).T
    entropy = softplus(-logits) @ wanted + softplus(logits) @ (1 - wanted)
    scores = logits.sigmoid()
    total = scores.sum(1, keepdim=True) + wanted.sum(0)
    dice = 1 - (2 * scores @ wanted + 1) / (total + 1)
    return MASK_COST * entropy / len(points) + DICE_COST * dice


def _assign(cost: Tensor, num_groups: int) -> tuple[Tensor, Tensor]:
    """Queries and objects of a frame; each group of queries gets all objects."""
    queries, objects, first = [], [], 0
    for group in cost.chunk(num_groups):
        rows, columns = linear_sum_assignment(group.numpy())
        queries.append(torch.from_numpy(rows) + first)
        objects.append(torch.from_numpy(columns))
        first += len(group)
    return torch.cat(queries), torch.cat(objects)


def _joined(pairs: list[tuple[Tensor, Tensor]], device: torch.device) -> Matches:
    frames = [torch.full_like(queries, frame) for frame, (queries, _) in enumerate(pairs)]
    queries, objects = zip(*pairs, strict=True)
    return Matches(*(torch.cat([*each]).to(device) for each in (frames, queries, objects)))

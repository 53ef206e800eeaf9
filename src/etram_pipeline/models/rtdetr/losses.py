"""Losses of RT-DETR by name, the same in one process and in several."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from etram_pipeline.core.batch import Targets
from etram_pipeline.models.boxes import as_shares
from etram_pipeline.models.detector import Losses
from etram_pipeline.models.normalisation import foreground_count

NAMES = {"loss_vfl": "class", "loss_bbox": "box", "loss_giou": "giou"}
"""Our names of the losses of the last layer."""

Labels = list[dict[str, Tensor]]
"""Classes, and centre and size of boxes as shares of the frame; one set for each frame."""


def normalised(targets: tuple[Targets, ...], size: tuple[int, int]) -> Labels:
    """Targets of frames of a size (height, width) as transformers takes them."""
    return [
        {"class_labels": target.class_ids, "boxes": as_shares(target.boxes_xyxy, size)}
        for target in targets
    ]


def detection_losses(network: Any, output: Any, labels: Labels) -> Losses:  # noqa: ANN401
    """Losses of the last layer by name, of the layers before it, and of the denoising queries.

    Args:
        network: The network.
        output: Its output for these labels.
        labels: The objects of each frame.
    """
    from transformers.loss.loss_rt_detr import RTDetrForObjectDetectionLoss

    boxes = output.intermediate_reference_points
    num_objects = torch.tensor(sum(len(each["boxes"]) for each in labels), device=boxes.device)
    # The matching needs logarithms of probabilities, which half precision cannot represent.
    with torch.autocast(boxes.device.type, enabled=False):
        if boxes.isfinite().all():
            logits = output.intermediate_logits.to(boxes.dtype)
            _, found, _ = RTDetrForObjectDetectionLoss(
                logits[:, -1],
                labels,
                boxes.device,
                boxes[:, -1],
                network.config,
                logits,
                boxes,
                enc_topk_logits=output.enc_topk_logits.to(boxes.dtype),
                enc_topk_bboxes=output.enc_topk_bboxes,
                denoising_meta_values=output.denoising_meta_values,
            )
        else:  # training has diverged, which the loss shows; such boxes cannot be matched
            found = dict.fromkeys(NAMES, boxes.sum() * math.nan)
        # transformers divides by the number of objects in this process.
        share = num_objects.clamp(min=1) / foreground_count(num_objects)
        losses = {name: value * share for name, value in _named(network, found, boxes).items()}
    return {**losses, "num_foreground": num_objects.to(boxes.dtype)}


def _named(network: Any, found: dict[str, Tensor], boxes: Float[Tensor, "..."]) -> Losses:  # noqa: ANN401
    losses = {ours: found[theirs] for theirs, ours in NAMES.items()}
    zero = boxes.sum() * 0
    losses["auxiliary"] = sum((v for name, v in found.items() if "_aux_" in name), zero)
    if network.config.num_denoising:
        # Without objects there is nothing to denoise, but every weight needs a gradient.
        unused = network.denoising_class_embed.weight.sum() * 0
        losses["denoising"] = sum((v for name, v in found.items() if "_dn_" in name), unused)
    return losses

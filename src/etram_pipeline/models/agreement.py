"""How far the maps and predictions of two dense detectors are apart in the same frames.

Both are compared place by place of the frame, whatever sizes the detectors resize and pad it to.
One of them learns from the other, through which no gradient flows.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

from etram_pipeline.models.boxes import iou
from etram_pipeline.models.comparable import Seen
from etram_pipeline.models.normalisation import foreground_count
from etram_pipeline.models.predictions import Level, Predictions
from etram_pipeline.models.resizing import resize_boxes, resize_maps

_SAME = 1e-6
"""Ratio of two lengths, less 1, that is rounding alone."""


def pair_levels(learner: Seen, teacher: Seen) -> list[tuple[int, int]]:
    """Levels to compare: (of the learner, of the teacher), for each level of the teacher.

    Each level of the teacher teaches the level whose cells are nearest in size, as shares of the
    frame: the ratio of their areas is nearest to 1. Of two equally near ones it is the finer one,
    as a finer map keeps small objects apart. So no level of the teacher is left out: with twice the
    resolution and equal strides, its first two levels teach the first one of the learner.
    """
    sides = [_log_side(level, learner.size) for level in learner.levels]
    pairs = []
    for index, level in enumerate(teacher.levels):
        distances = [abs(side - _log_side(level, teacher.size)) for side in sides]
        nearest = next(i for i, each in enumerate(distances) if each <= min(distances) + _SAME)
        pairs.append((nearest, index))
    return pairs


def attention_apart(learner: Seen, teacher: Seen) -> Float[Tensor, ""]:
    """Mean squared distance of the spatial attention of two necks; 0 if equal, 2 at most.

    The attention of a map is the mean square over its channels, at each place; the two are divided
    by their L2 norm over all places. So any two numbers of channels compare without a projection.
    The mean is over frames and pairs of levels.

    Source: Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017, section 3.1,
    eq. 2 with the mean of squares and p = 2, squared as in their code.
    """
    with torch.autocast(learner.maps[0].device.type, enabled=False):
        distances = []
        for own, of_teacher in pair_levels(learner, teacher):
            taught = _at_cells(
                _attention(teacher.maps[of_teacher]), teacher, of_teacher, learner, own
            )
            learnt = _attention(learner.maps[own])
            difference = _normalised(learnt) - _normalised(taught.detach())
            distances.append((difference**2).sum(1).mean())
        return torch.stack(distances).mean()


def probabilities_apart(
    learner: Seen, teacher: Seen, margin: float = 0.0
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Divergence of a learner's objectness and classes from its teacher's; 0 if they are equal.

    At every cell of the learner, the probabilities of the teacher at this place, interpolated
    between its cells, are the target of a binary cross-entropy, less its minimum: the
    Kullback-Leibler divergence, for classes summed over them. Cells weigh as much as the score of
    the teacher (objectness times the best class), so places where it sees nothing teach nothing.
    The sum is divided by the sum of the weights, or by 1 if that is more.

    Args:
        learner: Predictions that learn.
        teacher: Predictions to learn from, without gradient.
        margin: Differences of a probability up to this one cost nothing.
    """
    with torch.autocast(learner.predictions.objectness_logits.device.type, enabled=False):
        logits, of_teacher = _logits(learner.predictions), _logits(teacher.predictions)
        sums = [
            _divergences(
                logits[own],
                _at_cells(of_teacher[other].detach().sigmoid(), teacher, other, learner, own),
                margin,
            )
            for own, other in pair_levels(learner, teacher)
        ]
        objectness, classes, weight = torch.stack(sums).sum(0).unbind()
        per = foreground_count(weight.detach())
        return objectness / per, classes / per


def boxes_apart(
    learner: Seen, teacher: Seen, threshold: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Mean of `1 - IoU²` where the teacher is sure, and the number of such cells.

    At every cell of the learner, the teacher's box is that of its nearest cell: a mean of the boxes
    of several cells need not be a box of any object. Those whose score exceeds `threshold` count,
    and weigh as much as the score. The sum is divided by that of the weights, or by 1 if that is
    more.

    Args:
        learner: Predictions that learn.
        teacher: Predictions to learn from, without gradient.
        threshold: Score in `[0, 1]` that the teacher's must exceed.
    """
    with torch.autocast(learner.predictions.boxes_cxcywh.device.type, enabled=False):
        boxes, of_teacher = _boxes(learner, learner.size), _boxes(teacher, learner.size)
        probabilities = _logits(teacher.predictions)
        sums = []
        for own, other in pair_levels(learner, teacher):
            taught = torch.cat([of_teacher[other], probabilities[other].sigmoid()], 1).detach()
            nearest = _at_cells(taught, teacher, other, learner, own, "nearest")
            sums.append(_box_distances(boxes[own], nearest, threshold))
        distance, weight, num_sure = torch.stack(sums).sum(0).unbind()
        return distance / foreground_count(weight.detach()), num_sure.detach()


def _divergences(
    logits: Float[Tensor, "K n H W"], taught: Float[Tensor, "K n H W"], margin: float
) -> Float[Tensor, "3"]:
    """Weighted sums for objectness and classes, and the sum of the weights."""
    taught = taught.clamp(max=1)  # interpolation may round up, and `entr` is infinite below 0
    crossed = binary_cross_entropy_with_logits(logits, taught, reduction="none")
    divergence = crossed - torch.special.entr(taught) - torch.special.entr(1 - taught)
    counted = divergence * ((logits.detach().sigmoid() - taught).abs() > margin)
    weight = _score(taught)
    objectness, classes = counted[:, 0], counted[:, 1:].sum(1)
    return torch.stack([(weight * objectness).sum(), (weight * classes).sum(), weight.sum()])


def _box_distances(
    boxes: Float[Tensor, "K 4 H W"], taught: Float[Tensor, "K n H W"], threshold: float
) -> Float[Tensor, "3"]:
    """Weighted sum of the distances, the sum of the weights, and the number of boxes."""
    score = _score(taught[:, 4:])
    is_sure = score > threshold
    weight = score * is_sure
    overlap = iou(boxes.movedim(1, -1), taught[:, :4].movedim(1, -1))
    distance = (weight * (1 - overlap**2)).sum()
    return torch.stack([distance, weight.sum(), is_sure.sum().to(weight.dtype)])


def _score(probabilities: Float[Tensor, "K n H W"]) -> Float[Tensor, "K H W"]:
    """Objectness times the best class; objectness is the first channel."""
    return probabilities[:, 0] * probabilities[:, 1:].amax(1)


def _logits(predictions: Predictions) -> list[Float[Tensor, "K n H W"]]:
    """Objectness and classes of each level."""
    stacked = torch.cat([predictions.objectness_logits[..., None], predictions.class_logits], -1)
    return predictions.anchors.split(stacked)


def _boxes(seen: Seen, size: tuple[int, int]) -> list[Float[Tensor, "K 4 H W"]]:
    """Boxes of each level, in px of an image of this size."""
    boxes = resize_boxes(seen.predictions.boxes_cxcywh, seen.size, size)
    return seen.predictions.anchors.split(boxes)


def _attention(maps: Float[Tensor, "K C H W"]) -> Float[Tensor, "K 1 H W"]:
    return maps.float().square().mean(1, keepdim=True)


def _normalised(attention: Float[Tensor, "K 1 H W"]) -> Float[Tensor, "K places"]:
    divided: Tensor = normalize(attention.flatten(1))
    return divided


def _at_cells(
    maps: Float[Tensor, "K C H W"],
    seen: Seen,
    level: int,
    other: Seen,
    other_level: int,
    mode: str = "bilinear",
) -> Float[Tensor, "K C h w"]:
    """Maps of a level at the places of the cells of another detector's level."""
    here, there = seen.levels[level], other.levels[other_level]
    extent = tuple(
        (new_cells * there.stride / new_px) / (cells * here.stride / px)
        for new_cells, new_px, cells, px in zip(
            there[:2], other.size, here[:2], seen.size, strict=True
        )
    )
    is_same = here[:2] == there[:2] and all(math.isclose(each, 1, rel_tol=_SAME) for each in extent)
    if is_same:
        return maps
    return resize_maps(maps, there[:2], (extent[0], extent[1]), mode)


def _log_side(level: Level, size: tuple[int, int]) -> float:
    """Logarithm of the side of a cell as a share of the frame, the mean of height and width."""
    height, width = size
    return math.log(level.stride) - math.log(height * width) / 2

"""Factors of small, medium and large objects that follow how well each size is found."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from etram_pipeline.core.ranks import sum_over_ranks
from etram_pipeline.models.assignment import AssignedAnchors
from etram_pipeline.models.detector import Losses
from etram_pipeline.models.size_weights import SizeClassesConfig, SizeWeight

RECALLS = ("running_recall_small", "running_recall_medium", "running_recall_large")
"""Names of the running recalls, by size."""

NUM_SIZES = len(RECALLS)


class AdaptiveSizeWeight(SizeWeight):
    """Weighs an object by `1 + (maximum - 1) * (best - recall)`, within 1 and `maximum`.

    `recall` is the running recall of the object's size, and `best` the highest one of all sizes. A
    size that is found as well as the best weighs 1, and so does a size of which no object has been
    seen. The factors of a batch follow from the batches before it.

    An object is found if one of the anchors that learn it predicts a box that overlaps it by at
    least `min_iou`, the right class as the most probable one, and a score (objectness times
    probability of the class) of at least `min_score`. The loss has computed all of these. Other
    anchors are not searched; assignment prefers the anchors that fit an object best.

    The running recall is the number of objects found divided by the number seen, over all
    processes. With each batch that has objects of a size, both numbers of this size are multiplied
    by `momentum` before those of the batch are added, so that the start is not biased. Numbers
    change only in training.
    """

    num_found: Tensor
    num_seen: Tensor

    def __init__(self, config: "Config") -> None:
        super().__init__()
        self.config = config
        self.register_buffer("num_found", torch.zeros(NUM_SIZES))
        self.register_buffer("num_seen", torch.zeros(NUM_SIZES))

    @property
    def recall(self) -> Float[Tensor, " 3"]:
        """Running recall of small, medium and large objects; 0 for a size that was never seen."""
        return self.num_found / self.num_seen.where(self.num_seen > 0, 1)

    @override
    def forward(self, areas: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
        recall = self.recall
        shortfall = (recall.max() - recall).where(self.num_seen > 0, 0)
        factors = 1 + (self.config.maximum - 1) * shortfall
        return factors.to(areas.dtype)[self._size_of(areas)]

    @override
    def follow(self, assigned: AssignedAnchors) -> Losses:
        if self.training and torch.is_grad_enabled():
            self._add(assigned)
        return dict(zip(RECALLS, self.recall.unbind(), strict=True))

    @torch.no_grad()
    def _add(self, assigned: AssignedAnchors) -> None:
        targets = assigned.targets
        is_present = targets.is_present.to(self.num_seen.dtype)
        num_hits = torch.zeros_like(is_present).index_put_(
            (assigned.image, assigned.target),
            self._is_hit(assigned).to(is_present.dtype),
            accumulate=True,
        )
        counted = torch.stack([num_hits.clamp(max=1), is_present]).flatten(1)
        sizes = self._size_of(targets.boxes_cxcywh[..., 2:].prod(-1)).flatten()
        of_batch = counted.new_zeros(2, NUM_SIZES).index_add_(1, sizes, counted)
        found, seen = sum_over_ranks(of_batch)
        keep = torch.where(seen > 0, self.config.momentum, 1.0)
        self.num_found.mul_(keep).add_(found)
        self.num_seen.mul_(keep).add_(seen)

    def _is_hit(self, assigned: AssignedAnchors) -> Bool[Tensor, " F"]:
        """Whether each anchor's prediction finds its object."""
        at = assigned.image, assigned.anchor
        probability, class_id = assigned.predictions.class_logits[at].sigmoid().max(1)
        score = assigned.predictions.objectness_logits[at].sigmoid() * probability
        own_class = assigned.targets.class_ids[assigned.image, assigned.target]
        fits = assigned.ious >= self.config.min_iou
        return fits & (class_id == own_class) & (score >= self.config.min_score)

    def _size_of(self, areas: Float[Tensor, "*n"]) -> Int64[Tensor, "*n"]:
        """Index of each area in `RECALLS`; limits belong to the smaller size."""
        return (areas > self.config.small_area).long() + (areas > self.config.medium_area).long()


class Config(SizeClassesConfig):
    """Settings of factors that follow the running recall of each size.

    Attributes:
        momentum: Share of the numbers of objects that is kept with each batch that has objects of
            the size; 0.98 averages over about 50 batches.
        min_iou: Least overlap of the box of a found object.
        min_score: Least score of a found object. The default is the score from which RVT's
            validation counts detections (uzh-rpg/RVT, config/model/maxvit_yolox/default.yaml,
            `confidence_threshold`).
    """

    kind: Literal["adaptive"] = "adaptive"
    momentum: float = Field(default=0.98, ge=0, lt=1)
    min_iou: float = Field(default=0.5, gt=0, le=1)
    min_score: float = Field(default=0.1, ge=0, le=1)

    @override
    def build(self) -> AdaptiveSizeWeight:
        return AdaptiveSizeWeight(self)

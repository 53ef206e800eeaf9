"""Non-maximum suppression by torchvision's kernel, without importing torchvision.

Importing torchvision takes a second of processor time, mostly for PyTorch's compiler. That is as
long as detecting in a short recording takes.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor

_MOST_AT_ONCE = {"cpu": 1_000}
_MOST_AT_ONCE_ELSEWHERE = 25_000


def batched_nms(
    boxes_xyxy: Float[Tensor, "N 4"],
    scores: Float[Tensor, " N"],
    groups: Int64[Tensor, " N"],
    iou_threshold: float,
) -> Int64[Tensor, " kept"]:
    """Boxes that no better box of the same group overlaps by more than the threshold, best first.

    Source: torchvision.ops.batched_nms, whose result this is bit for bit.
    """
    _load_kernel()
    if not len(boxes_xyxy):
        return groups
    if len(boxes_xyxy) > _MOST_AT_ONCE.get(boxes_xyxy.device.type, _MOST_AT_ONCE_ELSEWHERE):
        return _group_by_group(boxes_xyxy, scores, groups, iou_threshold)
    # Groups are shifted so far apart that their boxes cannot overlap.
    apart = boxes_xyxy + (groups.to(boxes_xyxy) * (boxes_xyxy.max() + 1))[:, None]
    kept: Tensor = torch.ops.torchvision.nms(apart, scores, iou_threshold)
    return kept


def _group_by_group(
    boxes_xyxy: Float[Tensor, "N 4"],
    scores: Float[Tensor, " N"],
    groups: Int64[Tensor, " N"],
    iou_threshold: float,
) -> Int64[Tensor, " kept"]:
    is_kept = torch.zeros_like(scores, dtype=torch.bool)
    for group in groups.unique():
        members = (groups == group).nonzero().squeeze(1)
        best = torch.ops.torchvision.nms(boxes_xyxy[members], scores[members], iou_threshold)
        is_kept[members[best]] = True
    kept = is_kept.nonzero().squeeze(1)
    return kept[scores[kept].argsort(descending=True)]


@cache
def _load_kernel() -> None:
    spec = find_spec("torchvision")
    folders = (spec and spec.submodule_search_locations) or []
    for library in (file for folder in folders for file in Path(folder).glob("_C*.so")):
        torch.ops.load_library(library)
    if not hasattr(torch.ops.torchvision, "nms"):  # in builds that keep the kernel elsewhere
        import torchvision  # noqa: F401

"""Parts that change a training, and what the tests of all of them expect of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Changes = Mapping[str, object]


@dataclass(frozen=True)
class Part:
    """A part of a training.

    Attributes:
        detector: Changes of a small RVT, or another detector with its `kind`.
        train: Changes of the settings of training.
        metrics: Metrics of steps that it adds.
        without_effect: Changes of the detector with which the part is there but changes nothing;
            None: there are none.
    """

    detector: Changes
    train: Changes = field(default_factory=dict)
    metrics: frozenset[str] = frozenset()
    without_effect: Changes | None = None


def _loss(**changes: object) -> Changes:
    return {"loss": {"kind": "yolox", **changes}}


def _auxiliary(kind: str, **settings: object) -> Changes:
    return {"auxiliary": {"kind": kind, **settings}}


def _neck(kind: str) -> Changes:
    return {"neck": {"kind": kind, "inner": {"kind": "pafpn", "num_bottlenecks": 1}}}


PARTS: dict[str, Part] = {
    "temporal_consistency": Part(
        detector=_auxiliary("temporal_consistency", box_margin=0, score_margin=0),
        metrics=frozenset(
            f"train/{name}" for name in ("temporal_box", "temporal_score", "num_temporal_pairs")
        ),
        without_effect=_auxiliary("temporal_consistency", box_weight=0, score_weight=0),
    ),
    "motion_direction": Part(
        detector=_auxiliary("motion_direction", minimum_events=1, minimum_motion=0.01),
        metrics=frozenset({"train/direction", "train/num_directions"}),
        without_effect=_auxiliary("motion_direction", weight=0),
    ),
    "adaptive_size": Part(
        detector=_loss(size_weight={"kind": "adaptive", "min_iou": 0.1, "min_score": 0}),
        metrics=frozenset(f"train/running_recall_{size}" for size in ("small", "medium", "large")),
        without_effect=_loss(size_weight={"kind": "adaptive", "maximum": 1}),
    ),
    "hard_negatives": Part(
        detector=_loss(negative_weight={"kind": "small_object_ring"}),
        without_effect=_loss(negative_weight={"kind": "small_object_ring", "maximum": 1}),
    ),
    "squeeze_excitation": Part(detector=_neck("squeeze_excitation")),
    "deformable": Part(detector={"neck": {"kind": "deformable", "num_bottlenecks": 1}}),
    "event_density": Part(detector=_neck("event_density")),
    "cross_attention": Part(detector=_neck("cross_attention")),
}

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


PARTS: dict[str, Part] = {
    "adaptive_size": Part(
        detector=_loss(size_weight={"kind": "adaptive", "min_iou": 0.1, "min_score": 0}),
        metrics=frozenset(f"train/running_recall_{size}" for size in ("small", "medium", "large")),
        without_effect=_loss(size_weight={"kind": "adaptive", "maximum": 1}),
    ),
    "hard_negatives": Part(
        detector=_loss(negative_weight={"kind": "small_object_ring"}),
        without_effect=_loss(negative_weight={"kind": "small_object_ring", "maximum": 1}),
    ),
}

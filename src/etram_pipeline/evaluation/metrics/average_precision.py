"""COCO's average precision and average recall."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from etram_pipeline.evaluation.metrics import Measured, MetricConfig, Place, Value

if TYPE_CHECKING:
    from etram_pipeline.evaluation.curves import Curves, Outcome
    from etram_pipeline.evaluation.evidence import Evidence
    from etram_pipeline.evaluation.matches import Rankings
    from etram_pipeline.evaluation.matching import Frames
    from etram_pipeline.evaluation.protocol import Protocol
else:
    Curves = Evidence = Frames = Outcome = Protocol = Rankings = object


class Config(MetricConfig):
    """Area under the curve of precision over recall, and recall, averaged over IoU thresholds.

    Thresholds, area ranges and limits of detections are those of the protocol.

    Source: pycocotools, `COCOeval.summarize`.
    """

    kind: Literal["average_precision"] = "average_precision"
    title: ClassVar[str] = "average precision"
    needs_low_scores: ClassVar[bool] = True

    @override
    def declare(self, protocol: Protocol) -> tuple[Value, ...]:
        return tuple(_values(protocol))

    @override
    def shown(self, place: Place, protocol: Protocol) -> tuple[str, ...]:
        overlaps = ("AP", "AP_50", "AP_75")
        sizes = tuple(f"AP_{size}" for size in protocol.area_ranges)
        recall = f"AR_{protocol.max_detections[-1]}"
        places: dict[Place, tuple[str, ...]] = {
            "headline": ("AP", "AP_50"),
            "page": ("AP_50", "AP", recall),
            "classes": (*overlaps, recall),
            "recordings": overlaps,
            "sizes": sizes,
            "protocols": overlaps,
            "training": overlaps,
        }
        return places[place]

    @override
    def facts(self, protocol: Protocol) -> tuple[str, ...]:
        first, last = protocol.iou_thresholds[0], protocol.iou_thresholds[-1]
        overlaps = (
            f"computed at an IoU of {first:g}"
            if first == last
            else f"the mean over {len(protocol.iou_thresholds)} IoU thresholds from {first:g} "
            f"to {last:g}"
        )
        limit = protocol.max_detections[-1]
        return (
            f"AP (average precision) is {overlaps}, with at most {limit} detections per frame "
            "and class. AR is the average recall over the same thresholds.",
        )

    @override
    def measure(self, evidence: Evidence) -> Measured:
        from etram_pipeline.evaluation.breakdown import precision_by_recall, summarize

        protocol, names = evidence.protocol, evidence.class_names
        curves, overall = summarize_all(evidence, _curves)
        return Measured(
            overall=overall,
            per_class={name: summarize(curves, protocol, row) for row, name in enumerate(names)},
            precision_recall={
                name: precision_by_recall(curves, protocol, row) for row, name in enumerate(names)
            },
        )

    @override
    def rank(self, evidence: Evidence) -> Mapping[str, Rankings]:
        from etram_pipeline.evaluation.curves import match_classes

        return rank_all(evidence, "", match_classes)


def summarize_all(
    evidence: Evidence, compute: Callable[[Evidence, Frames, int], Curves]
) -> tuple[Curves, dict[str, float]]:
    """Curves of each class, and average precision and recall of all classes.

    Args:
        evidence: What was labelled and detected.
        compute: Computes the curves of frames with a number of classes.
    """
    from etram_pipeline.evaluation.breakdown import summarize

    protocol = evidence.protocol
    curves = compute(evidence, evidence.frames, len(evidence.class_names))
    of_all = curves
    if not protocol.class_aware:
        of_all = compute(evidence, evidence.frames.without_classes(), 1)
    overall = summarize(of_all, protocol)
    if evidence.nothing_detected:
        # As in the references, even for sizes without ground truth.
        overall = dict.fromkeys(overall, 0.0)
    return curves, overall


def rank_all(
    evidence: Evidence, prefix: str, match: Callable[[Frames, int, Protocol], Iterable[Outcome]]
) -> Mapping[str, Rankings]:
    """Rankings of each class, and of all classes together where the protocol ignores them.

    Args:
        evidence: What was labelled and detected.
        prefix: Start of the names of the metric's values.
        match: Finds the outcomes of frames with a number of classes.
    """
    from etram_pipeline.evaluation.matches import MOST_IOUS, gather_rankings

    protocol, frames = evidence.protocol, evidence.frames
    if len(protocol.iou_thresholds) > MOST_IOUS:
        return {}
    parts = [(frames, len(evidence.class_names))]
    if not protocol.class_aware:
        parts.append((frames.without_classes(), 1))
    outcomes = chain.from_iterable(match(*part, protocol) for part in parts)
    return {prefix: gather_rankings(outcomes, evidence)}


def _values(protocol: Protocol) -> Iterator[Value]:
    exact = {percent for percent in (50, 75) if protocol.index_of(percent / 100) is not None}
    yield Value(
        "AP",
        "AP",
        "The same, averaged over ever stricter overlaps: it also measures how well the boxes fit."
        if 50 in exact  # noqa: PLR2004  # per cent
        else "Average precision over the IoU thresholds of the protocol, listed below. 1 is "
        "perfect.",
    )
    if 50 in exact:  # noqa: PLR2004  # per cent
        yield Value(
            "AP_50",
            "AP50",
            "Average precision if a box that overlaps the labelled one by half counts as found. "
            "1 is perfect.",
        )
    if 75 in exact:  # noqa: PLR2004  # per cent
        yield Value("AP_75", "AP75")
    for size in protocol.area_ranges:
        yield Value(f"AP_{size}", f"AP {size}")
    for limit in protocol.max_detections:
        yield Value(
            f"AR_{limit}",
            f"AR{limit}",
            f"Average recall: share of objects found if up to {limit} detections per frame and "
            "class count, at any confidence.",
        )
    for size in protocol.area_ranges:
        yield Value(f"AR_{size}", f"AR {size}")


def _curves(evidence: Evidence, frames: Frames, num_classes: int) -> Curves:
    """Curves of all classes, computed by the engine of `evidence`."""
    if evidence.engine == "numpy":
        from etram_pipeline.evaluation.curves import compute_curves

        return compute_curves(frames, num_classes, evidence.protocol)
    from etram_pipeline.evaluation.coco import library_curves

    return library_curves(frames, num_classes, evidence.protocol, evidence.engine)

"""COCO's average precision and average recall."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from etram_pipeline.evaluation.metrics import Measured, MetricConfig, Place, Value

if TYPE_CHECKING:
    from etram_pipeline.evaluation.curves import Curves
    from etram_pipeline.evaluation.evidence import Evidence
    from etram_pipeline.evaluation.matches import Rankings
    from etram_pipeline.evaluation.outcomes import Match
    from etram_pipeline.evaluation.protocol import Protocol
else:
    Curves = Evidence = Match = Protocol = Rankings = object


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
        from etram_pipeline.evaluation.outcomes import match_classes

        return rank_all(evidence, "", match_classes)


def summarize_all(
    evidence: Evidence, compute: Callable[[Evidence, bool], Curves]
) -> tuple[Curves, dict[str, float]]:
    """Curves of each class, and average precision and recall of all classes.

    Args:
        evidence: What was labelled and detected.
        compute: Computes the curves of all classes, or, if the flag is set, of all boxes as one.
    """
    from etram_pipeline.evaluation.breakdown import summarize

    protocol = evidence.protocol
    curves = compute(evidence, False)  # noqa: FBT003  # read where it is declared
    of_all = curves if protocol.class_aware else compute(evidence, True)  # noqa: FBT003
    overall = summarize(of_all, protocol)
    if evidence.nothing_detected:
        # As in the references, even for sizes without ground truth.
        overall = dict.fromkeys(overall, 0.0)
    return curves, overall


def rank_all(evidence: Evidence, prefix: str, match: Match) -> Mapping[str, Rankings]:
    """Rankings of each class, and of all classes together where the protocol ignores them.

    Args:
        evidence: What was labelled and detected.
        prefix: Start of the names of the metric's values.
        match: Compares labels and detections of a number of classes.
    """
    from etram_pipeline.evaluation.matches import gather_rankings
    from etram_pipeline.evaluation.outcomes import MOST_IOUS

    if len(evidence.protocol.iou_thresholds) > MOST_IOUS:
        return {}
    compared = [evidence.compare(match)]
    if not evidence.protocol.class_aware:
        compared.append(evidence.compare(match, as_one_class=True))
    return {prefix: gather_rankings(compared, len(evidence.recordings))}


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


def _curves(evidence: Evidence, as_one_class: bool) -> Curves:  # noqa: FBT001  # called by place
    """Curves of all classes, or of all boxes as one class, by the engine of `evidence`."""
    if evidence.engine == "compiled":
        from etram_pipeline.evaluation.curves import compute_curves
        from etram_pipeline.evaluation.outcomes import match_classes

        return compute_curves(evidence.compare(match_classes, as_one_class=as_one_class))
    from etram_pipeline.evaluation.coco import library_curves

    return library_curves(evidence, evidence.engine, as_one_class=as_one_class)

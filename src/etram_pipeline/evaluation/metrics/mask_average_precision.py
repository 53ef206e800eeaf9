"""COCO's average precision and average recall of masks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from etram_pipeline.evaluation.metrics import Measured, MetricConfig, Place, Value
from etram_pipeline.evaluation.metrics.average_precision import Config as BoxConfig
from etram_pipeline.evaluation.metrics.average_precision import rank_all, summarize_all

if TYPE_CHECKING:
    from etram_pipeline.evaluation.curves import Curves
    from etram_pipeline.evaluation.evidence import Evidence
    from etram_pipeline.evaluation.matches import Rankings
    from etram_pipeline.evaluation.protocol import Protocol
else:
    Curves = Evidence = Protocol = Rankings = object

_PREFIX = "mask_"


class Config(MetricConfig):
    """As `average_precision`, but detections and labels overlap by their masks.

    Area ranges are those of the protocol, compared with the areas of masks. Labels and detections
    must have masks.

    Source: pycocotools, `COCOeval` with `iouType` `segm`.
    """

    kind: Literal["mask_average_precision"] = "mask_average_precision"
    title: ClassVar[str] = "mask average precision"
    needs_low_scores: ClassVar[bool] = True
    needs_masks: ClassVar[bool] = True

    @override
    def declare(self, protocol: Protocol) -> tuple[Value, ...]:
        return tuple(
            replace(
                value,
                name=_PREFIX + value.name,
                title=f"mask {value.title}",
                meaning=value.meaning.replace("boxes", "masks").replace("a box", "a mask"),
            )
            for value in BoxConfig().declare(protocol)
        )

    @override
    def shown(self, place: Place, protocol: Protocol) -> tuple[str, ...]:
        if place == "sizes":  # a figure of the sizes of boxes
            return ()
        return tuple(_PREFIX + name for name in BoxConfig().shown(place, protocol))

    @override
    def facts(self, protocol: Protocol) -> tuple[str, ...]:
        return ("Mask AP and mask AR take the overlap and the area of masks instead of boxes.",)

    @override
    def measure(self, evidence: Evidence) -> Measured:
        from etram_pipeline.evaluation.breakdown import summarize

        curves, overall = summarize_all(evidence, _curves)
        return Measured(
            overall=_prefixed(overall),
            per_class={
                name: _prefixed(summarize(curves, evidence.protocol, row))
                for row, name in enumerate(evidence.class_names)
            },
        )

    @override
    def rank(self, evidence: Evidence) -> Mapping[str, Rankings]:
        from etram_pipeline.evaluation.coco import match_masks

        return rank_all(evidence, _PREFIX, match_masks)


def _prefixed(values: dict[str, float]) -> dict[str, float]:
    return {_PREFIX + name: value for name, value in values.items()}


def _curves(evidence: Evidence, as_one_class: bool) -> Curves:  # noqa: FBT001  # called by place
    """Curves of all classes, or of all boxes as one class; pycocotools compares the masks."""
    from etram_pipeline.evaluation.coco import library_curves, match_masks
    from etram_pipeline.evaluation.curves import compute_curves

    if evidence.engine == "compiled":
        return compute_curves(evidence.compare(match_masks, as_one_class=as_one_class))
    return library_curves(evidence, evidence.engine, "segm", as_one_class=as_one_class)

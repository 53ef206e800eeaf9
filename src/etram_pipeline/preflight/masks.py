"""Checks that there are masks where a detector or a protocol needs them."""

from collections.abc import Iterator

from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import resolve_protocol
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.preflight.run import Keys, Notice, Run, of_splits, some
from etram_pipeline.training.settings import TrainSettings

_REMEDY = (
    "put a file <recording>_masks.json beside each label file and run `preprocess`, or use the "
    "environment `scene_masks`"
)
_MADE = "detects boxes alone: choose a detector of masks, or a protocol of boxes, such as coco"


def check(run: Run) -> Iterator[Notice]:
    """Detectors and protocols that need masks, where labels or detections have none."""
    if "checkpoint" in run.makes:
        yield from _training(run)
    if "metrics" in run.makes:
        yield from _evaluation(run)


def _training(run: Run) -> Iterator[Notice]:
    detector = run.parameter("detector", DetectorConfig.model_validate)
    learnt = _labelled(run, "train")
    if detector.needs_masks and (lacking := _without_masks(run, learnt)):
        yield Notice(
            f"the detector {detector.kind} learns masks, but {_recordings(lacking, learnt)} of "
            f"`train` have none ({some(lacking)}): {_REMEDY}, or choose a detector of boxes"
        )
    protocol = _validation(run)
    scored = _labelled(run, "val")
    if protocol is not None and protocol.needs_masks and scored:
        where = "train.validation.protocol"
        yield from _protocol(run, protocol, where, scored, "val")
        if not detector.needs_masks:
            yield Notice(f"{where} {protocol.name} compares masks, but {detector.kind} {_MADE}")


def _evaluation(run: Run) -> Iterator[Notice]:
    settings = run.parameter("evaluate", EvaluateSettings.model_validate)
    detects = _detects_masks(run)
    for protocol in settings.protocols:
        if protocol.needs_masks:
            where = "evaluate.protocols:"
            scored = _labelled(run, settings.split)
            yield from _protocol(run, protocol, where, scored, settings.split)
            if not detects:
                yield Notice(f"{where} {protocol.name} compares masks, but {_source(run)}")


def _protocol(
    run: Run, protocol: Protocol, where: str, scored: Keys, split: str
) -> Iterator[Notice]:
    if lacking := _without_masks(run, scored):
        yield Notice(
            f"{where} {protocol.name} compares masks, but {_recordings(lacking, scored)} of "
            f"`{split}` have none ({some(lacking)}): {_REMEDY}, or choose a protocol of boxes, "
            "such as coco"
        )


def _detects_masks(run: Run) -> bool:
    """Whether the detections of the run have masks; assumed if this is not known."""
    if "detections" not in run.makes:
        return run.detections is None or run.detections.has_masks or not any(run.detections.counts)
    if "checkpoint" in run.makes:
        return run.parameter("detector", DetectorConfig.model_validate).needs_masks
    if run.trained is None:
        return True
    return run.trained.config is not None and run.trained.config.needs_masks


def _source(run: Run) -> str:
    """What detects boxes alone."""
    origin = None if run.detections is None else run.detections.origin
    if origin is None or "detections" in run.makes:
        return f"the detector {_MADE}"
    return (
        f"the detections of {origin.path} have none: masks are only read from the folder of "
        "another run of this project; choose a protocol of boxes, such as coco"
    )


def _validation(run: Run) -> Protocol | None:
    choice = run.parameter("train", TrainSettings.model_validate).validation.protocol
    try:
        return resolve_protocol(choice)
    except ProtocolError:  # reported by the check of classes
        return None


def _labelled(run: Run, split: str) -> Keys:
    """Labelled recordings of a split, as far as is known."""
    return of_splits(run.labelled or frozenset(), (split,))


def _without_masks(run: Run, keys: Keys) -> Keys:
    return frozenset() if run.masked is None else keys - run.masked


def _recordings(lacking: Keys, everything: Keys) -> str:
    return f"{len(lacking)} of {len(everything)} recordings"

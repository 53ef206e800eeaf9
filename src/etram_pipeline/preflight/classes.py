"""Checks that classes, protocols, filters and the detector fit together."""

from collections.abc import Iterator
from typing import Any

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation.classes import scored_classes
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import resolve_protocol
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.labels.filters import FilterContext
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.pipelines.evaluate.nodes import find_other_classes
from etram_pipeline.pipelines.predict.nodes import find_other_channels, find_other_size
from etram_pipeline.preflight.memory import representation_size
from etram_pipeline.preflight.run import Notice, Run, of_splits
from etram_pipeline.training.settings import TrainSettings


def check(run: Run) -> Iterator[Notice]:
    """Contradictions between the classes of data, protocols and detector."""
    yield from _protocols(run)
    yield from _filters(run)
    yield from _stored_labels(run)
    yield from _detector(run)


def _protocols(run: Run) -> Iterator[Notice]:
    names = _dataset(run).detected_classes
    if run.is_scored:
        for protocol in run.parameter("evaluate", EvaluateSettings.model_validate).protocols:
            yield from _protocol(protocol, names, "evaluate.protocols")
    if "checkpoint" in run.makes:
        choice = run.parameter("train", TrainSettings.model_validate).validation.protocol
        try:
            protocol = resolve_protocol(choice)
        except ProtocolError as error:
            yield Notice(f"train.validation.protocol: {error}")
            return
        if run.labelled is None or of_splits(run.labelled, ("val",)):
            yield from _protocol(protocol, names, "train.validation.protocol")


def _protocol(protocol: Protocol, names: tuple[str, ...], where: str) -> Iterator[Notice]:
    try:
        scored_classes(protocol, names, num_ids=0)
    except ProtocolError as error:
        yield Notice(f"{where}: {error}")
        return
    meant = protocol.class_names or ()
    found = names[: len(meant)]
    if protocol.classes_by == "id" and protocol.class_aware and found != meant:
        yield Notice(
            f"{where}: protocol '{protocol.name}' takes the first class ids for "
            f"{', '.join(meant)}, but they are {', '.join(found)} here: its numbers compare with "
            "no published ones",
            is_fault=False,
        )


def _filters(run: Run) -> Iterator[Notice]:
    if "labelled_frames" not in run.makes:
        return
    dataset, labels = _dataset(run), run.parameter("labels", LabelSettings.model_validate)
    context = FilterContext(dataset, "train", dataset.height, dataset.width)
    for config in labels.filters:
        try:
            config.build(context)
        except ValueError as error:
            yield Notice(f"labels.filters: {error}")
    if dataset.class_groups and "group_classes" not in {each.kind for each in labels.filters}:
        yield Notice(
            "dataset.class_groups gathers classes, but labels.filters have no `group_classes` to "
            "renumber them: add {kind: group_classes}, as in conf/presets/three_classes.yml",
            is_fault=False,
        )


def _stored_labels(run: Run) -> Iterator[Notice]:
    """Check that stored labels have the classes that this run gives to their ids."""
    made = run.labelled_frames.made_with if run.labelled_frames else {}
    if "dataset" not in made or "params:dataset" not in run.reads:
        return
    found = DatasetSettings.model_validate(made["dataset"]).detected_classes
    wanted = _dataset(run).detected_classes
    if found != wanted:
        yield Notice(
            f"the stored labelled frames are of the classes {', '.join(found)}, but `dataset` has "
            f"{', '.join(wanted)}: use the preset they were made with, or add `preprocess` to "
            "--pipelines"
        )


def _detector(run: Run) -> Iterator[Notice]:
    """Check that a detector of an earlier training fits the data and the classes of this run."""
    if run.detections is not None and "metrics" in run.makes:
        fault = find_other_classes(run.detections.class_names, _dataset(run))
        yield from [Notice(fault)] if fault else []
    trained = run.trained
    if trained is None:
        return
    path, names = trained.path, trained.class_names
    if "metrics" in run.makes and names and names != _dataset(run).detected_classes:
        yield Notice(
            f"{path} detects the classes {', '.join(names)}, but labels are of "
            f"{', '.join(_dataset(run).detected_classes)}, as `dataset` says, and cannot be "
            "compared: use the preset it was trained with, or name pipelines without `evaluate`"
        )
    where, made = representation_of(run)
    channels = made.get("channels", trained.in_channels)
    known = trained.made.get("representation")
    fault = find_other_channels(trained.in_channels, known, path, where, channels)
    if not fault and (frame := representation_size(run)):
        size = frame.height, frame.width
        fault = find_other_size(trained.frame_size, path, where, size)
    if fault:
        yield Notice(fault)
    elif changes := _changes(known or {}, made.get("settings", {})):
        yield Notice(
            f"{path} was trained on another representation than {where} has: {changes}; it will "
            "detect worse, or nothing",
            is_fault=False,
        )


def representation_of(run: Run) -> tuple[str, dict[str, Any]]:
    """Source of the representations a detector will read, with channels and settings if known."""
    if "histograms" in run.makes:
        config = run.parameter("representation", RepresentationConfig.model_validate)
        plain = config.model_dump(mode="json", serialize_as_any=True)
        return "`representation`", {"channels": config.channels, "settings": plain}
    store = run.histograms
    if not store:
        return "", {}
    settings = store.made_with.get("representation")
    if settings is None:  # made elsewhere, so only the file holds the number of channels
        key = next(iter(store))
        return key, {"channels": store[key].channels}
    channels = RepresentationConfig.model_validate(settings).channels
    return str(store.root), {"channels": channels, "settings": settings}


def _changes(trained: dict[str, Any], made: dict[str, Any]) -> str:
    both = [name for name in trained if name in made]
    return ", ".join(
        f"{name} {trained[name]} -> {made[name]}" for name in both if trained[name] != made[name]
    )


def _dataset(run: Run) -> DatasetSettings:
    return run.parameter("dataset", DatasetSettings.model_validate)

"""Teachers: trained detectors that another one learns from, named by the path of a checkpoint."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from etram_pipeline.core.errors import CheckpointError, SettingsError
from etram_pipeline.models.checkpoint import Checkpoint, read_checkpoint, reads_as_exported
from etram_pipeline.models.classes import TrainingClips
from etram_pipeline.models.comparable import Comparable
from etram_pipeline.models.detector import Detector
from etram_pipeline.models.detectors import DetectorConfig

PARAMETER = "detector.auxiliary.teacher"


def read_teacher(teacher: str | None) -> tuple[Checkpoint, Comparable]:
    """The description and the detector of a teacher's checkpoint, frozen and ready to predict.

    Args:
        teacher: Path of the checkpoint, relative to the working directory.

    Raises:
        SettingsError: If no teacher is named.
        CheckpointError: If there is no such file, it cannot be read, or it holds a detector whose
            maps and predictions cannot be compared.
    """
    if not teacher:
        raise SettingsError(
            f"{PARAMETER} is missing: name the checkpoint of the detector to learn from, such as "
            f"{PARAMETER}=data/teacher/06_models/detector.ckpt"
        )
    path = Path(teacher).expanduser()
    if not path.is_file():
        what = "that is a folder" if path.is_dir() else "there is no such file"
        raise CheckpointError(
            f"{PARAMETER} is {teacher}, but {what}: name the checkpoint of a trained detector; "
            "relative paths start at the working directory on the command line, and at the project "
            "folder in files of the configuration"
        )
    if reads_as_exported(path):
        raise CheckpointError(
            f"{PARAMETER}: {path} is an exported detector, which returns no maps: name the "
            "checkpoint that it was exported from"
        )
    with torch.random.fork_rng(devices=[]):  # a detector draws weights before it gets others
        found = read_checkpoint(path)
    if not isinstance(found.detector, Comparable):
        raise CheckpointError(
            f"{PARAMETER}: {path} holds a {type(found.detector).__name__}, whose predictions do "
            "not lie on a grid: name a detector of the kind rvt or yolox"
        )
    found.detector.requires_grad_(requires_grad=False)
    return found, found.detector


def check_teacher(teacher: str | None, clips: TrainingClips) -> None:
    """Check that a detector can teach in a training run.

    Raises:
        SettingsError: If no teacher is named, or it cannot follow how the clips are read.
        CheckpointError: If its checkpoint cannot be read, or it was trained on other classes or
            another representation.
    """
    about, detector = read_teacher(teacher)
    for fault in (_other_classes(about, clips), _other_representation(about, clips)):
        if fault:
            raise CheckpointError(f"{PARAMETER}: {teacher} {fault}")
    if clips.scales and detector.num_memories:
        _check_scaled_memories(teacher, detector, clips)


def _check_scaled_memories(teacher: str | None, detector: Detector, clips: TrainingClips) -> None:
    """Check that memories of a teacher can be resized like those of the detector that learns."""
    if detector.input_size is not None:
        raise SettingsError(
            f"{PARAMETER}: {teacher} has memories of frames that its own input_size "
            f"{list(detector.input_size)} resizes, which train.resolution.scales would resize "
            "again: set train.resolution.scales=[]"
        )
    if clips.size_multiple not in {None, detector.size_multiple}:
        raise SettingsError(
            f"{PARAMETER}: {teacher} pads frames to multiples of {detector.size_multiple} px and "
            f"this detector to {clips.size_multiple}, so train.resolution.scales cannot resize the "
            "memories of both: set train.resolution.scales=[], or name a teacher of the same "
            "detector.backbone.partition_split and strides"
        )


def _other_classes(about: Checkpoint, clips: TrainingClips) -> str:
    names = clips.class_names
    if names and about.class_names not in {(), names}:
        return (
            f"detects the classes {', '.join(about.class_names)}, but this run learns "
            f"{', '.join(names)}: name a teacher of the same classes in the same order"
        )
    if names and about.num_classes != len(names):
        return (
            f"tells {about.num_classes} classes apart, but this run learns {len(names)}: name a "
            "teacher of the same classes"
        )
    return ""


def _other_representation(about: Checkpoint, clips: TrainingClips) -> str:
    remedy = "name a teacher that was trained on the representation of this run"
    if clips.channels not in {None, about.in_channels}:
        return f"reads {about.in_channels} channels, but the frames have {clips.channels}: {remedy}"
    known = about.encoding and about.encoding.representation
    if known and clips.representation and known != clips.representation:
        ours, its = (
            each.model_dump(mode="json", serialize_as_any=True)
            for each in (clips.representation, known)
        )
        changes = ", ".join(
            f"{name} {its.get(name)} -> {ours.get(name)}"
            for name in sorted(ours | its)
            if its.get(name) != ours.get(name)
        )
        return f"was trained on another representation ({changes}): {remedy}"
    if None not in {about.downsampled_by, clips.downsampled_by} and (
        about.downsampled_by != clips.downsampled_by
    ):
        return (
            f"was trained on frames that are {about.downsampled_by} times smaller than the sensor, "
            f"but these are {clips.downsampled_by} times smaller: {remedy}"
        )
    return ""


def teacher_of(config: DetectorConfig) -> str | None:
    """Path of the teacher that the settings of a detector name, if any."""
    return next(_teachers(config.model_dump(serialize_as_any=True)), None)


def with_teacher(config: DetectorConfig, path: str) -> DetectorConfig:
    """The same settings with another path of the teacher, if they name any."""
    if teacher_of(config) is None:
        return config
    plain = _with_teacher(config.model_dump(serialize_as_any=True), path)
    return DetectorConfig.model_validate(plain)


def _teachers(plain: object) -> Iterator[str]:
    if isinstance(plain, Mapping):
        if _names_teacher(plain):
            yield plain["teacher"]
        plain = tuple(plain.values())
    for inner in plain if isinstance(plain, list | tuple) else ():
        yield from _teachers(inner)


def _with_teacher(plain: Any, path: str) -> Any:  # noqa: ANN401, plain data
    if isinstance(plain, Mapping):
        changes = {"teacher": path} if _names_teacher(plain) else {}
        return {key: _with_teacher(value, path) for key, value in plain.items()} | changes
    if isinstance(plain, list | tuple):
        return [_with_teacher(value, path) for value in plain]
    return plain


def _names_teacher(plain: Mapping[str, Any]) -> bool:
    return plain.get("kind") == "distillation" and bool(plain.get("teacher"))

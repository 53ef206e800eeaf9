"""Checks that the detector of a run can be built and trained, by building it.

This takes a tenth of a second; without it, a fault would end the run after preprocessing.
"""

import shlex
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.datasets.recordings import RELATIVE_PATHS
from etram_pipeline.deployment.requirements import (
    RUNNERS,
    find_export_fault,
    find_missing_packages,
)
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.inference.settings import PredictSettings, ViewSettings
from etram_pipeline.models.classes import TrainingClasses, TrainingClips
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.pipelines.predict.nodes import explain_no_calibration
from etram_pipeline.preflight.classes import representation_of
from etram_pipeline.preflight.run import UNREADABLE, Notice, Run
from etram_pipeline.session import explain
from etram_pipeline.training.settings import TrainSettings

if TYPE_CHECKING:
    from etram_pipeline.models.detector import Detector
else:  # checks of runs that train nothing do without torch
    Detector = object


def check(run: Run) -> Iterator[Notice]:
    """Settings of the detector and of its training that do not fit each other or the machine."""
    detector = None
    if "checkpoint" in run.makes:
        train = run.parameter("train", TrainSettings.model_validate)
        yield from _launcher(train)
        detector = yield from _detector(run, train)
        yield from _events(run, train)
        yield from _start(train, detector)
        if train.accelerator == "gpu" and not train.launcher:
            yield from _gpu("train.accelerator", train.accelerator)
    if "detections" in run.makes:
        predict = run.parameter("predict", PredictSettings.model_validate)
        yield from _augmentation(run, predict.augmentation, detector)
        trained = run.trained
        if predict.calibrated and trained is not None and not trained.is_calibrated:
            is_exported = trained.frame_size is not None
            yield Notice(explain_no_calibration(trained.path, is_exported=is_exported))
        if predict.runtime == "onnx":
            yield from _runtime(run, predict)
        if predict.device.startswith("cuda"):
            yield from _gpu("predict.device", predict.device)


def _start(train: TrainSettings, detector: Detector | None) -> Iterator[Notice]:
    from etram_pipeline.models.checkpoint import read_checkpoint
    from etram_pipeline.training.start import (
        reads_as_checkpoint,
        weights_of_checkpoint,
        weights_of_library,
    )

    if train.start_from is None:
        if train.freeze:
            frozen = ", ".join(train.freeze)
            text = f"train.freeze: {frozen} keep their random weights; set train.start_from"
            yield Notice(text, is_fault=False)
        return
    path = Path(train.start_from).expanduser()
    if not path.is_file():
        what = "that is a folder" if path.is_dir() else "there is no such file"
        yield Notice(f"train.start_from is {train.start_from}, but {what}: {RELATIVE_PATHS}")
        return
    try:
        if reads_as_checkpoint(path):
            start = read_checkpoint(path)
            if detector is not None:
                weights_of_checkpoint(detector, start, path)
        elif detector is not None:
            weights_of_library(detector, path)
    except UNREADABLE as error:
        yield Notice(f"train.start_from: {explain(error)}")


def _launcher(train: TrainSettings) -> Iterator[Notice]:
    try:
        program, *_ = shlex.split(train.launcher or "") or [""]
    except ValueError as error:
        yield Notice(f"train.launcher is {train.launcher}, which is no command: {error}")
        return
    if program and shutil.which(program) is None:
        yield Notice(
            f"train.launcher is {train.launcher}, but this machine has no program `{program}`: "
            "install it, or name another, such as `torchrun --standalone --nproc-per-node=2`"
        )


def _detector(run: Run, train: TrainSettings) -> Generator[Notice, None, Detector | None]:
    """Faults of the detector that show without data, and the detector if it could be built."""
    from etram_pipeline.training.optimizer import freeze
    from etram_pipeline.training.parameter_groups import parameter_groups
    from etram_pipeline.training.resolution import MixedResolution

    names = run.parameter("dataset", DatasetSettings.model_validate).detected_classes
    config = run.parameter("detector", DetectorConfig.model_validate)
    found = representation_of(run)[1]
    channels, settings = found.get("channels", 1), found.get("settings")
    representation = settings and RepresentationConfig.model_validate(settings)
    detector = None
    try:
        known = config.for_classes(TrainingClasses(names, (1,) * len(names)))
        detector = known.build(channels, len(names))
        clips = TrainingClips(
            length=train.clip_length,
            representation=representation,
            channels=found.get("channels"),
            class_names=names,
            scales=train.resolution.scales,
            size_multiple=detector.size_multiple,
        )
        known.check_clips(clips)
        detector.check_execution(train.execution)
        MixedResolution(train.resolution, detector, train.seed)
        freeze(detector, train.freeze)
        parameter_groups(detector, train.optimizer)
    except ValueError as error:
        yield Notice(str(error))
    return detector


def _events(run: Run, train: TrainSettings) -> Iterator[Notice]:
    """Changes of events that the representation does not allow."""
    kind = representation_of(run)[1].get("settings", {}).get("kind", "stacked_histogram")
    changed = [
        name
        for name in ("stream_augmentation", "random_augmentation")
        if getattr(train, name).events.is_active
    ]
    if changed and kind != "stacked_histogram":
        yield Notice(
            f"{' and '.join(f'train.{name}.events' for name in changed)} can change the events of "
            f"stacked histograms only, but representation.kind is {kind}: set their probabilities "
            "to 0, or representation.kind=stacked_histogram"
        )


def _augmentation(
    run: Run, augmentation: ViewSettings, detector: Detector | None
) -> Iterator[Notice]:
    """A detector, that of the run or an earlier one, that cannot follow `predict.augmentation`."""
    from etram_pipeline.inference.augmentation import check_augmentation

    if augmentation.is_plain:
        return
    try:
        if detector is None and run.trained is not None:
            detector = run.trained.build()
        if detector is not None:
            check_augmentation(detector, augmentation)
    except SettingsError as error:
        yield Notice(str(error))


def _runtime(run: Run, predict: PredictSettings) -> Iterator[Notice]:
    """What keeps a detector from being exported and run by `predict.runtime`."""
    trained = run.trained
    if trained is None:
        config: DetectorConfig | None = run.parameter("detector", DetectorConfig.model_validate)
    else:
        config = None if trained.frame_size is not None else trained.config
    fault = find_missing_packages(RUNNERS)
    if not fault and config is not None:
        fault = find_export_fault(config, is_exported=False)
    if fault:
        yield Notice(f"predict.runtime is onnx: {fault}, or set predict.runtime=torch")
    if predict.device.startswith("cuda"):
        yield Notice(
            f"predict.runtime is onnx, which computes on a CPU, but predict.device is "
            f"{predict.device}: set one of them to auto"
        )


def _gpu(name: str, value: str) -> Iterator[Notice]:
    from etram_pipeline.models.hardware import check_gpu

    try:
        check_gpu(name, value)
    except SettingsError as error:
        yield Notice(str(error))

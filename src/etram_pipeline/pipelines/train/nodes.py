"""Node of the train pipeline."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kedro.utils import find_kedro_project

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.core.recording_key import in_splits
from etram_pipeline.evaluation.protocols import resolve_protocol
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.training.settings import TrainSettings

if TYPE_CHECKING:
    from pandas import DataFrame
else:  # the command line reads this module long before anything needs pandas
    DataFrame = object


def train_detector(
    histograms: RepresentationStore,
    labelled_frames: LabelStore,
    training_folder: Path,
    dataset: DatasetSettings,
    detector: DetectorConfig,
    train: TrainSettings,
) -> tuple[Path, DataFrame]:
    """Best checkpoint and loss curves of a training run; an interrupted run is resumed."""
    import pandas as pd

    from etram_pipeline.models.teachers import teacher_of, with_teacher
    from etram_pipeline.training.checkpoints import write_detector
    from etram_pipeline.training.fit import Blueprint
    from etram_pipeline.training.history import COLUMNS, HISTORY, read_history
    from etram_pipeline.training.launch import TrainingJob, run_job
    from etram_pipeline.training.origin import Weights

    start = Weights.of(_in_project(train.start_from), training_folder, "start_from")
    teacher = Weights.of(_in_project(teacher_of(detector)), training_folder, "teacher")
    splits = {split: _labelled(histograms, labelled_frames, split) for split in ("train", "val")}
    protocol = resolve_protocol(train.validation.protocol)
    with_masks = detector.needs_masks or protocol.needs_masks
    stores = histograms, labelled_frames.with_masks() if with_masks else labelled_frames
    dated = [[store.identity(keys) for store in stores] for keys in splits.values()]
    content = [[store.content(keys) for store in stores] for keys in splits.values()]
    known = dated if any(None in of_split for of_split in content) else content
    data = fingerprint(known)
    job = TrainingJob(
        representations=histograms.root.absolute(),
        representation=histograms.representation_name,
        labels=labelled_frames.root.absolute(),
        train=splits["train"],
        val=splits["val"],
        blueprint=Blueprint(
            detector=with_teacher(detector, str(teacher.path)),
            class_names=dataset.detected_classes,
            dataset_fingerprint=data,
            mlflow_run_id=os.environ.get("MLFLOW_RUN_ID", ""),
        ),
        settings=train.model_copy(update={"start_from": start.path and str(start.path)}),
    )
    known_by = with_teacher(detector, teacher.digest)
    how = [dataset.detected_classes, known_by, train.outcome(), start.digest]
    names = [fingerprint([of, *how]) for of in (data, fingerprint(dated))]
    work_dir = _continued(*(training_folder / name for name in names))
    for weights in (start, teacher):
        weights.keep(work_dir)
    checkpoint = write_detector(run_job(job, work_dir))
    history = work_dir / HISTORY
    rows = read_history(history) if history.is_file() else []
    return checkpoint, pd.DataFrame(rows, columns=list(COLUMNS))


def _continued(folder: Path, former: Path) -> Path:
    """Folder of a training run, named after the content of its data.

    A run whose folder is named after the modification times of its data gets a link with the new
    name, so that it is still found when these times change.
    """
    if folder.is_symlink() and not folder.exists():  # its target was deleted
        folder.unlink()
    if folder.exists() or not former.is_dir():
        return folder
    try:
        folder.symlink_to(former.name, target_is_directory=True)
    except OSError:  # some file systems have no links
        return former
    return folder


def _in_project(path: str | None) -> Path | None:
    """Resolve a path relative to the project, as the catalog does."""
    if path is None:
        return None
    return (find_kedro_project(Path.cwd()) or Path.cwd()) / Path(path).expanduser()


def _labelled(frames: RepresentationStore, labels: LabelStore, split: str) -> tuple[str, ...]:
    return tuple(key for key in in_splits(frames, (split,)) if key in labels)

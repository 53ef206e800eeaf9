"""Node of the train pipeline."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kedro.utils import find_kedro_project

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.fingerprint import file_digest, fingerprint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.sequences.store import FrameStore, LabelStore
from etram_pipeline.training.settings import TrainSettings

if TYPE_CHECKING:
    from pandas import DataFrame
else:  # the command line reads this module long before anything needs pandas
    DataFrame = object


def train_detector(
    histograms: FrameStore,
    labelled_frames: LabelStore,
    training_folder: Path,
    dataset: DatasetSettings,
    detector: DetectorConfig,
    train: TrainSettings,
) -> tuple[Path, DataFrame]:
    """Best checkpoint of a training, and its loss curves; an interrupted training goes on."""
    import pandas as pd

    from etram_pipeline.training.checkpoints import write_detector
    from etram_pipeline.training.fit import Blueprint
    from etram_pipeline.training.history import HISTORY
    from etram_pipeline.training.launch import Job, run_job

    start = _in_project(train.start_from)
    splits = {split: _labelled(histograms, labelled_frames, split) for split in ("train", "val")}
    data = fingerprint(
        [[histograms.identity(keys), labelled_frames.identity(keys)] for keys in splits.values()]
    )
    job = Job(
        representations=histograms.root.absolute(),
        representation=histograms.representation_name,
        labels=labelled_frames.root.absolute(),
        train=splits["train"],
        val=splits["val"],
        blueprint=Blueprint(
            detector=detector,
            class_names=dataset.detected_classes,
            dataset_fingerprint=data,
            mlflow_run_id=os.environ.get("MLFLOW_RUN_ID", ""),
        ),
        settings=train.model_copy(update={"start_from": start and str(start)}),
    )
    weights = file_digest(start) if start else ""
    learnt = [data, dataset.detected_classes, detector, train.outcome(), weights]
    work_dir = training_folder / fingerprint(learnt)
    checkpoint = write_detector(run_job(job, work_dir))
    return checkpoint, pd.read_csv(work_dir / HISTORY)


def _in_project(path: str | None) -> Path | None:
    """A path as the catalog reads it: relative to the project, wherever in it a run starts."""
    if path is None:
        return None
    return (find_kedro_project(Path.cwd()) or Path.cwd()) / path


def _labelled(frames: FrameStore, labels: LabelStore, split: str) -> tuple[str, ...]:
    return tuple(key for key in frames if key in labels and key.startswith(f"{split}/"))

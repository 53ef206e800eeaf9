"""Training from stored clips to the best checkpoint."""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pytorch_lightning import seed_everything
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from etram_pipeline.core.component import Settings
from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.files import is_whole_archive, written_whole
from etram_pipeline.labels.frames import LabelTables
from etram_pipeline.mlflow_logging.run_entries import NUM_PARAMETERS
from etram_pipeline.models.checkpoint import Checkpoint, checkpoint_payload
from etram_pipeline.models.classes import TrainingClasses
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.hardware import set_thread_counts
from etram_pipeline.training.checkpoints import (
    BEST,
    LAST,
    find_resumable,
    link_or_copy,
    remove_partials,
)
from etram_pipeline.training.data import ClipData, LabelledRecordings
from etram_pipeline.training.interruption import exit_as_signalled
from etram_pipeline.training.module import DetectionModule
from etram_pipeline.training.repeats import repeat_factors
from etram_pipeline.training.scoring import ValidationScore
from etram_pipeline.training.settings import TrainSettings
from etram_pipeline.training.start import take_weights
from etram_pipeline.training.trainer import build_trainer, quiet_lightning

logger = logging.getLogger(__name__)

_FINISHED = "finished.json"


class Blueprint(Settings):
    """What to train, and how its checkpoint describes it.

    Attributes:
        detector: The detector to build.
        class_names: Classes it is to distinguish, in the order of their ids.
        dataset_fingerprint: Identifies the data it learns from.
        mlflow_run_id: The run that trains it; empty if it is not logged.
    """

    detector: DetectorConfig
    class_names: tuple[str, ...]
    dataset_fingerprint: str = ""
    mlflow_run_id: str = ""


def fit(
    train: LabelledRecordings,
    val: LabelledRecordings,
    blueprint: Blueprint,
    settings: TrainSettings,
    work_dir: Path,
    loggers: Sequence[Logger] = (),
) -> Path:
    """Train a detector, or continue where an earlier call with the same folder was interrupted.

    Nothing else may train in the folder at the same time; `run_job` locks it.

    Args:
        train: Recordings to learn from.
        val: Recordings that select the best checkpoint; they may have no labels.
        blueprint: What to train.
        settings: How to train it.
        work_dir: Folder of this training alone: `best.ckpt`, `last.ckpt` and `history.csv`.
        loggers: Further places that step metrics go to.

    Returns:
        The best checkpoint.

    Raises:
        StoreError: If there is nothing to train on, or representations and labels do not fit.
        SettingsError: If the detector cannot learn from such clips.
        LabelError: If a label is of a class that does not exist.
        KeyboardInterrupt: If interrupted; call again to continue.
        SystemExit: With a code that is not 0, on SIGTERM; call again to continue.
    """
    best = work_dir / BEST
    if _is_finished(work_dir, settings.max_steps):
        logger.info("this training is finished: %s", best)
        return best
    for recordings in (train, val):
        recordings.check_classes(len(blueprint.class_names))
    with quiet_lightning():
        seed_everything(settings.seed, workers=True, verbose=False)
        module = _build_module(train, val, blueprint, settings)
        apart = module.detector.computes_lanes_apart
        set_thread_counts(settings.workers, settings.lanes if apart else 1)
        num_parameters = sum(weights.numel() for weights in module.detector.parameters())
        for each in loggers:
            each.log_metrics({NUM_PARAMETERS: num_parameters})
        score = module.score
        trainer = build_trainer(
            settings, work_dir, score.monitor, list(loggers), scored=score.num_labels > 0
        )
        with exit_as_signalled():
            factors = repeat_factors(train, blueprint.class_names, settings)
            data = ClipData(train, val, settings, factors)
            trainer.fit(module, datamodule=data, ckpt_path=_resume(work_dir))
    _finish(work_dir, settings.max_steps)
    return best


def _build_module(
    train: LabelledRecordings,
    val: LabelledRecordings,
    blueprint: Blueprint,
    settings: TrainSettings,
) -> DetectionModule:
    example = next(iter(train.frames.values()), None)
    if example is None:
        raise StoreError(
            "there is no recording to train on: none of the train split has both representations "
            "and labels"
        )
    counts = train.count_classes(len(blueprint.class_names))
    config = blueprint.detector.for_classes(
        TrainingClasses(blueprint.class_names, tuple(counts.num_boxes.tolist()))
    )
    detector = config.build(example.channels, len(blueprint.class_names))
    clips = replace(
        train.clips(settings.clip_length),
        class_names=blueprint.class_names,
        scales=settings.resolution.scales,
        size_multiple=detector.size_multiple,
    )
    config.check_clips(clips)
    detector.execute_with(settings.execution)
    about = Checkpoint(
        detector=detector,
        detector_config=config,
        in_channels=example.channels,
        class_names=blueprint.class_names,
        num_classes=len(blueprint.class_names),
        encoding=example.encoding,
        downsampled_by=example.downsampled_by,
        dataset_fingerprint=blueprint.dataset_fingerprint,
        mlflow_run_id=blueprint.mlflow_run_id,
    )
    if settings.start_from is not None:
        take_weights(about, Path(settings.start_from), settings.freeze)
    logger.info(
        "training %.1f million parameters on %s with %s for %s",
        sum(parameter.numel() for parameter in detector.parameters()) / 1e6,
        counted(len(train.frames), "recording"),
        counted(sum(len(labelled.labels) for labelled in train.labels.values()), "box", "boxes"),
        counted(settings.max_steps, "step"),
    )
    score = ValidationScore(
        labels=LabelTables({name: val.labels[name] for name in val.frames}),
        downsampled_by={name: stored.downsampled_by for name, stored in val.frames.items()},
        class_names=blueprint.class_names,
        protocol=settings.validation.protocol,
        scaling=settings.validation.scaling,
    )
    return DetectionModule(detector, settings, score, checkpoint_payload(about))


def _resume(work_dir: Path) -> Path | None:
    """The checkpoint to continue from, if any."""
    remove_partials(work_dir)
    path = find_resumable(work_dir)
    if path is not None:
        logger.info("continuing the training in %s from %s", work_dir, path.name)
    return path


def _is_finished(work_dir: Path, max_steps: int) -> bool:
    path, best = work_dir / _FINISHED, work_dir / BEST
    if not (path.exists() and best.exists()):
        return False
    if not is_whole_archive(best):
        logger.warning(
            "%s is damaged; it is made again from the last checkpoint, or training starts anew",
            best,
        )
        best.unlink()
        return False
    try:
        done: int = json.loads(path.read_text())["max_steps"]
    except (ValueError, LookupError, TypeError):
        return False  # training then continues from its last step, which takes a moment
    return done >= max_steps


@rank_zero_only
def _finish(work_dir: Path, max_steps: int) -> None:
    if not (work_dir / BEST).exists():  # deleted since it was made
        link_or_copy(work_dir / LAST, work_dir / BEST)
    with written_whole(work_dir / _FINISHED) as partial:
        partial.write_text(json.dumps({"max_steps": max_steps}))

"""Saves the best and the last state of a training; each file is complete or absent."""

import logging
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities import rank_zero_only
from typing_extensions import override

from etram_pipeline.core.files import is_whole_archive, written_whole
from etram_pipeline.models.checkpoint import PAYLOAD_KEY
from etram_pipeline.training.monitor import Monitor
from etram_pipeline.training.resume import random_state, set_random_state

logger = logging.getLogger(__name__)

BEST = "best.ckpt"
LAST = "last.ckpt"
DETECTOR = "detector.ckpt"


class WholeFiles(TorchCheckpointIO):
    """Writes checkpoints atomically: a kill while writing leaves the former file intact."""

    @override
    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        with written_whole(Path(path)) as partial:
            torch.save(checkpoint, partial)


class BestAndLast(Checkpoint):
    """Saves the last state at intervals, and the state with the best validation metric.

    Without labels there is no metric, and the last state counts as the best. The state before a
    validation is saved too, so that an interrupted validation is repeated.
    """

    def __init__(self, folder: Path, monitor: Monitor, every_steps: int) -> None:
        """Save in `folder` every `every_steps` steps; `monitor` selects the best state."""
        self._folder = folder
        self._monitor = monitor
        self._every_steps = every_steps
        self._best_score = monitor.worst
        self._last_step = 0
        self._is_validation_due = False
        self._random: dict[str, Any] | None = None

    @property
    def best_score(self) -> float:
        """Best score so far; the worst one conceivable if there is none."""
        return self._best_score

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._is_validation_due:
            _validate(trainer)
            self._random = random_state(pl_module.device)

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, *_: object
    ) -> None:
        if self._random is not None:  # Lightning has begun, and dropped, one more validation
            set_random_state(self._random, pl_module.device)
            self._random = None

    @override
    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        if not is_step_done(trainer):
            return
        if trainer.global_step >= self._last_step + self._every_steps or _is_validated_next(
            trainer
        ):
            self.keep(trainer)

    def keep(self, trainer: Trainer) -> None:
        """Save the state after a step, except the last one, after which nothing continues."""
        if trainer.should_stop:
            return
        self._is_validation_due = _is_validated_next(trainer)
        self._save(trainer, is_best=False)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._is_validation_due = False
        score = trainer.callback_metrics.get(self._monitor.name)
        is_best = score is None or self._monitor.is_better(float(score), self._best_score)
        if score is not None and is_best:
            self._best_score = float(score)
        self._save(trainer, is_best=is_best)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._last_step < trainer.global_step:  # without recordings there is no validation
            self._save(trainer, is_best=True)

    @property
    @override
    def state_key(self) -> str:
        return "BestAndLast"  # the name in checkpoints, which stays when the class is renamed

    @override
    def state_dict(self) -> dict[str, float]:
        return {
            "best_score": self._best_score,
            "last_step": self._last_step,
            "is_validation_due": self._is_validation_due,
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._best_score = state_dict["best_score"]
        self._last_step = state_dict["last_step"]
        self._is_validation_due = state_dict.get("is_validation_due", False)

    def _save(self, trainer: Trainer, *, is_best: bool) -> None:
        """Save the state; the best one first, so that a kill in between does not lose it."""
        self._last_step = trainer.global_step
        trainer.save_checkpoint(self._folder / (BEST if is_best else LAST))
        if is_best and trainer.is_global_zero:
            link_or_copy(self._folder / BEST, self._folder / LAST)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name: by a hard link if the file system has them, else by a copy."""
    with written_whole(target) as partial:
        try:
            os.link(source, partial)
        except OSError:
            shutil.copyfile(source, partial)


def write_detector(checkpoint: Path) -> Path:
    """Write the detector alone beside a checkpoint, without the state of the training."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    detector = checkpoint.with_name(DETECTOR)
    # A path would be stored in the file, but equal detectors must have equal bytes.
    with written_whole(detector) as partial, partial.open("wb") as file:
        torch.save({key: content[key] for key in (PAYLOAD_KEY, "state_dict")}, file)
    return detector


@rank_zero_only
def remove_partials(folder: Path) -> None:
    """Remove partial checkpoints that a killed training left."""
    for name in (BEST, LAST, DETECTOR):
        for partial in folder.glob(f".{name}.*.partial"):
            partial.unlink(missing_ok=True)


def find_resumable(folder: Path) -> Path | None:
    """The checkpoint to continue from; damaged files are skipped with a warning."""
    for path in (folder / LAST, folder / BEST):
        if path.exists():
            if is_whole_archive(path):
                return path
            logger.warning("%s is damaged: training does not continue from it", path)
    return None


def is_step_done(trainer: Trainer) -> bool:
    """Whether a batch completed a step, instead of only accumulating gradients."""
    return (trainer.fit_loop.total_batch_idx + 1) % trainer.accumulate_grad_batches == 0


def _is_validated_next(trainer: Trainer) -> bool:
    interval = trainer.val_check_batch
    return interval is not None and (trainer.fit_loop.total_batch_idx + 1) % interval == 0


def _validate(trainer: Trainer) -> None:
    """Run the validation that Lightning would skip after resuming from the state before it."""
    loop = trainer.fit_loop.epoch_loop.val_loop
    loop.restarting = False
    trainer.validating = True
    loop.run()
    trainer.training = True

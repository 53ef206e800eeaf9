"""Which states of a training are kept: the best and the last, each file whole or absent."""

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
    """Writes checkpoints so that being killed meanwhile leaves the former one."""

    @override
    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        with written_whole(Path(path)) as partial:
            torch.save(checkpoint, partial)


class BestAndLast(Checkpoint):
    """Saves the last state at intervals, and keeps the one with the best validation score.

    Without labels nothing can be scored, and the last state counts as the best. The state before a
    validation is saved as well, so that an interrupted validation is repeated.
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
        """Save the state after a step; of the last one there is nothing to continue."""
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
        """Save the last state, after the best one: a kill in between must not lose the best."""
        self._last_step = trainer.global_step
        trainer.save_checkpoint(self._folder / (BEST if is_best else LAST))
        if is_best and trainer.is_global_zero:
            share_file(self._folder / BEST, self._folder / LAST)


def share_file(source: Path, target: Path) -> None:
    """Give a file a second name, without writing it again where the file system can."""
    with written_whole(target) as partial:
        try:
            os.link(source, partial)
        except OSError:
            shutil.copyfile(source, partial)


def write_detector(checkpoint: Path) -> Path:
    """Beside a checkpoint, one of the detector alone, without what training needs to continue."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    detector = checkpoint.with_name(DETECTOR)
    # A path would leave its name in the file, and the same detector is to be the same bytes.
    with written_whole(detector) as partial, partial.open("wb") as file:
        torch.save({key: content[key] for key in (PAYLOAD_KEY, "state_dict")}, file)
    return detector


@rank_zero_only
def forget_partials(folder: Path) -> None:
    """Remove checkpoints that were being written when a training was killed."""
    for name in (BEST, LAST, DETECTOR):
        for partial in folder.glob(f".{name}.*.partial"):
            partial.unlink(missing_ok=True)


def find_resumable(folder: Path) -> Path | None:
    """The checkpoint to continue from; damaged ones are skipped with a warning."""
    for path in (folder / LAST, folder / BEST):
        if path.exists():
            if is_whole_archive(path):
                return path
            logger.warning("%s is damaged: training does not continue from it", path)
    return None


def is_step_done(trainer: Trainer) -> bool:
    """Whether a batch completed a step: else its gradients wait for those of the next."""
    return (trainer.fit_loop.total_batch_idx + 1) % trainer.accumulate_grad_batches == 0


def _is_validated_next(trainer: Trainer) -> bool:
    interval = trainer.val_check_batch
    return interval is not None and (trainer.fit_loop.total_batch_idx + 1) % interval == 0


def _validate(trainer: Trainer) -> None:
    """Validate as Lightning does after a step: a state from before it would continue after it."""
    loop = trainer.fit_loop.epoch_loop.val_loop
    loop.restarting = False
    trainer.validating = True
    loop.run()
    trainer.training = True

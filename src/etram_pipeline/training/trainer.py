"""Lightning's trainer from settings."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.loggers import Logger
from typing_extensions import override

from etram_pipeline.core.errors import EtramError
from etram_pipeline.models.hardware import check_gpu, resolve_precision
from etram_pipeline.training.checkpoints import BestAndLast, WholeFiles
from etram_pipeline.training.ema import WeightAverage
from etram_pipeline.training.history import History, Recorder
from etram_pipeline.training.interruption import StopOnSignal
from etram_pipeline.training.monitor import Monitor
from etram_pipeline.training.progress import TrainingProgress
from etram_pipeline.training.resume import ExactResume
from etram_pipeline.training.settings import TrainSettings

_NOISE = (
    "ignore:.*does not have many workers.*",
    "ignore:.*num_workers.*bottleneck.*",
    "ignore:.*srun.*command is available.*",
    "ignore:.*Consider setting.*persistent_workers.*",
    "ignore:.*Checkpoint directory.*exists and is not empty.*",
    "ignore:.*your dataloader is not resumable.*",
    "ignore:Total length of `DataLoader` across ranks is zero.*",
    "ignore:.*smaller than the logging interval.*",
    "ignore:.*GPU available but not used.*",
    "ignore:.*recommended to use `self.log.*sync_dist=True.*",
    "ignore:.*`isinstance\\(treespec, LeafSpec\\)` is deprecated.*",
    "ignore:.*does not have a deterministic implementation.*",
)


class DivergedError(EtramError):
    """The loss is not finite, and continuing would not recover it."""


class StopWhenDiverged(Callback):
    """Ends a training whose loss is no longer a finite number."""

    def __init__(self, every_steps: int) -> None:
        """Check every `every_steps` steps, because reading the loss waits for the device."""
        self._every_steps = every_steps

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: object
    ) -> None:
        if trainer.global_step % self._every_steps == 0 and not outputs["loss"].isfinite():
            raise DivergedError(
                f"the loss is {float(outputs['loss'])} at step {trainer.global_step}; lower "
                "train.optimizer.learning_rate, or set train.precision to '32'"
            )


class ValidateLastStep(Callback):
    """Validates after the last step, even if it is not a multiple of the interval."""

    @override
    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        if trainer.global_step >= trainer.max_steps:
            trainer.should_stop = True


class StayStopped(Callback):
    """Ends a resumed training that early stopping had ended, but that was killed before its end."""

    def __init__(self, early_stopping: EarlyStopping) -> None:
        self._early_stopping = early_stopping

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._early_stopping.wait_count >= self._early_stopping.patience:
            trainer.should_stop = True


def build_trainer(
    settings: TrainSettings, folder: Path, monitor: Monitor, loggers: list[Logger], *, scored: bool
) -> Trainer:
    """A trainer that saves into `folder`.

    Args:
        settings: What to do.
        folder: Where checkpoints and the history go.
        monitor: The validation value that selects the best checkpoint.
        loggers: Further places that step metrics go to.
        scored: Whether there is anything to score.

    Raises:
        SettingsError: If a GPU is asked for, and there is none.
    """
    on_gpu = settings.accelerator != "cpu" and torch.cuda.is_available()
    if settings.accelerator == "gpu":
        check_gpu("train.accelerator", settings.accelerator)
    num_processes = settings.devices * settings.num_nodes
    if on_gpu:
        torch.set_float32_matmul_precision("high")  # TF32, as the reference allows
        # It only helps to find reads of uninitialised memory, and writes all memory once more.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=settings.devices,
        num_nodes=settings.num_nodes,
        strategy="ddp" if num_processes > 1 else "auto",
        sync_batchnorm=on_gpu and num_processes > 1,
        use_distributed_sampler=False,
        precision=resolve_precision(settings.precision, on_gpu=on_gpu),
        deterministic="warn" if settings.deterministic and on_gpu else None,
        max_steps=settings.max_steps,
        max_epochs=-1,
        accumulate_grad_batches=settings.optimizer.accumulate,
        gradient_clip_val=settings.optimizer.gradient_clip,
        gradient_clip_algorithm=settings.optimizer.clip_by,
        val_check_interval=settings.validation.every_steps * settings.optimizer.accumulate,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=settings.log_every_steps,
        logger=loggers,
        callbacks=_callbacks(settings, folder, monitor, scored=scored),
        plugins=[WholeFiles(), *([_alone()] if num_processes == 1 else [])],
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _alone() -> LightningEnvironment:
    """An environment of one process, whatever the variables of a scheduler or launcher say.

    Otherwise Lightning would refuse a job of several tasks, wait for processes that do not exist,
    or leave the checkpoints to a first process that does not exist.
    """
    environment = LightningEnvironment()
    environment.set_global_rank(0)
    return environment


def _callbacks(
    settings: TrainSettings, folder: Path, monitor: Monitor, *, scored: bool
) -> list[Callback]:
    callbacks: list[Callback] = [
        StopWhenDiverged(settings.log_every_steps),
        ValidateLastStep(),
        Recorder(History(folder), settings.log_every_steps),
        ExactResume(settings.lanes, settings.seed),
    ]
    if settings.average_decay is not None:
        callbacks.append(WeightAverage(settings.average_decay))
    if settings.validation.patience is not None and scored:
        stopping = EarlyStopping(
            monitor.name,
            min_delta=settings.validation.min_delta,
            patience=settings.validation.patience,
            mode=monitor.mode,
            strict=False,
        )
        callbacks += [stopping, StayStopped(stopping)]
    keeper = BestAndLast(folder, monitor, settings.checkpoint_every_steps)
    # These come last, so that a saved step includes the changes of all other callbacks.
    return [
        *callbacks,
        TrainingProgress(monitor),
        StopOnSignal(keeper),
        keeper,
    ]


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Hide Lightning's hints about settings that are intended here."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for pattern in _NOISE:
                warnings.filterwarnings("ignore", message=pattern.removeprefix("ignore:"))
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

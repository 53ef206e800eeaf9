"""Reports the progress of a training."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from typing_extensions import override

from etram_pipeline.builds.progress import Interval
from etram_pipeline.core.counts import duration
from etram_pipeline.core.progress import report_progress
from etram_pipeline.models.detector import is_loss
from etram_pipeline.training.monitor import Monitor

logger = logging.getLogger(__name__)

_REPORT_EVERY_S = 1.0
"""Losses are read no more often, because reading them waits for the device."""


class TrainingProgress(Callback):
    """Reports step, losses, learning rate, validation metrics, speed and remaining time."""

    def __init__(self, monitor: Monitor) -> None:
        """Report the validation values of `monitor` with the others."""
        self._monitor = monitor
        self._started = 0.0
        self._first_step = 0
        self._outputs: Mapping[str, Any] = {}
        self._since_reported = Interval(_REPORT_EVERY_S)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started = time.perf_counter()
        self._first_step = trainer.global_step
        _report(trainer, f"step {trainer.global_step}")

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: object
    ) -> None:
        self._outputs = outputs
        if self._since_reported.has_passed():
            _report(trainer, self._state(trainer))

    @override
    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        num_batches = int(sum(map(float, trainer.num_val_batches)))
        _report(
            trainer,
            f"step {trainer.global_step}: validated {batch_idx + 1} of {num_batches} batches",
        )

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step == self._first_step:
            return  # a validation that was interrupted is repeated
        state = self._state(trainer)
        _report(trainer, state)
        if trainer.is_global_zero:
            logger.info("%s", state)

    def _state(self, trainer: Trainer) -> str:
        seconds = time.perf_counter() - self._started
        speed = (trainer.global_step - self._first_step) / max(seconds, 1e-9)
        left_s = (trainer.max_steps - trainer.global_step) / max(speed, 1e-9)
        return (
            f"step {trainer.global_step} of {trainer.max_steps}: {self._figures(trainer)}, "
            f"{speed:.2f} steps/s, {duration(left_s)} left"
        )

    def _figures(self, trainer: Trainer) -> str:
        losses = {name: float(value) for name, value in self._outputs.get("metrics", {}).items()}
        figures = [f"{name} {value:.3g}" for name, value in losses.items() if name == "loss"]
        if parts := [f"{name} {losses[name]:.3g}" for name in losses if _is_part(name)]:
            figures[-1:] = [f"{' '.join(figures)} ({', '.join(parts)})"]
        if "rates" in self._outputs:
            figures.append(f"rate {self._outputs['rates']['learning_rate']:.2g}")
        figures += [
            f"{title} {float(trainer.callback_metrics[name]):.3g}"
            for name, title in self._monitor.titles.items()
            if name in trainer.callback_metrics
        ]
        return ", ".join(figures) or "no step yet"


def _is_part(name: str) -> bool:
    return name != "loss" and is_loss(name)


def _report(trainer: Trainer, text: str) -> None:
    report_progress(text, trainer.global_step, trainer.max_steps)

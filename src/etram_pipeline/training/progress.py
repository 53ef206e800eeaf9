"""How far a training is: told to the display of the run, and in lines of the log."""

import logging
import time
from collections.abc import Mapping
from typing import Any

import rich
from pytorch_lightning import Callback, LightningModule, Trainer
from typing_extensions import override

from etram_pipeline.builds.progress import Interval, duration
from etram_pipeline.core.progress import tell_progress
from etram_pipeline.training.monitor import Monitor

logger = logging.getLogger(__name__)

LOG_EVERY_S = 20.0

_NO_PARTS = {"loss", "num_foreground", "num_targets"}


class TrainingProgress(Callback):
    """Tells step, losses, learning rate, validation score, speed and remaining time."""

    def __init__(self, monitor: Monitor, every_steps: int) -> None:
        """Report every `every_steps` steps, with the validation values of `monitor`."""
        self._monitor = monitor
        self._every_steps = every_steps
        self._started = 0.0
        self._first_step = 0
        self._outputs: Mapping[str, Any] = {}
        self._since_logged = Interval(LOG_EVERY_S)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started = time.perf_counter()
        self._first_step = trainer.global_step
        self._since_logged = Interval(LOG_EVERY_S)
        tell_progress(f"step {trainer.global_step}", trainer.global_step, trainer.max_steps)

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: object
    ) -> None:
        self._outputs = outputs
        is_silent = self._since_logged.has_passed()
        # Reading the losses waits for the device, so it is not done at every step.
        if is_silent or trainer.global_step % self._every_steps == 0:
            self._tell(trainer, self._state(trainer), log=is_silent and _shows_no_bar(trainer))

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
        text = f"step {trainer.global_step}: validated {batch_idx + 1} of {num_batches} batches"
        log = self._since_logged.has_passed() and _shows_no_bar(trainer)
        self._tell(trainer, text, log=log)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step == self._first_step:
            return  # a validation is made up for
        self._tell(trainer, self._state(trainer), log=True)
        self._since_logged = Interval(LOG_EVERY_S)

    def _tell(self, trainer: Trainer, text: str, *, log: bool) -> None:
        tell_progress(text, trainer.global_step, trainer.max_steps)
        if log and trainer.is_global_zero:
            logger.info("%s", text)

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
        if parts := [f"{name} {losses[name]:.3g}" for name in losses if name not in _NO_PARTS]:
            figures[-1:] = [f"{' '.join(figures)} ({', '.join(parts)})"]
        if "learning_rate" in self._outputs:
            figures.append(f"rate {self._outputs['learning_rate']:.2g}")
        figures += [
            f"{title} {float(trainer.callback_metrics[name]):.3g}"
            for name, title in self._monitor.titles.items()
            if name in trainer.callback_metrics
        ]
        return ", ".join(figures) or "no step yet"


def _shows_no_bar(trainer: Trainer) -> bool:
    """Whether the log is where to look: launched processes have no display of their own."""
    return trainer.world_size > 1 or not rich.get_console().is_terminal

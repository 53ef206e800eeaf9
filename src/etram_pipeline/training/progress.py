"""How far a training is: a bar where someone looks at it, lines in the log elsewhere."""

import logging
import time
from datetime import timedelta

import rich
from pytorch_lightning import Callback, LightningModule, Trainer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from typing_extensions import override

logger = logging.getLogger(__name__)


class Progress(Callback):
    """Shows step, loss, validation score, speed and remaining time."""

    def __init__(self, monitor: str, every_steps: int) -> None:
        """Refresh every `every_steps` steps; `monitor` is the name of the validation score."""
        self._monitor = monitor
        self._every_steps = every_steps
        self._bar: Bar | None = None
        self._started = 0.0
        self._first_step = 0

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started = time.perf_counter()
        self._first_step = trainer.global_step
        if not (trainer.is_global_zero and rich.get_console().is_terminal):
            return
        self._bar = Bar(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=rich.get_console(),
            transient=True,
        )
        self._bar.add_task(
            "training", total=trainer.max_steps, completed=trainer.global_step, figures=""
        )
        self._bar.start()

    @override
    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        # Reading the loss waits for the device, so it is not done at every step.
        if self._bar and trainer.global_step % self._every_steps == 0:
            self._show(trainer)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        seconds = time.perf_counter() - self._started
        if trainer.global_step == self._first_step:
            return  # a validation is made up for
        speed = (trainer.global_step - self._first_step) / seconds
        left = timedelta(
            seconds=round((trainer.max_steps - trainer.global_step) / max(speed, 1e-9))
        )
        if trainer.is_global_zero:
            logger.info(
                "step %d of %d: %s, %.2f steps/s, %s left",
                trainer.global_step,
                trainer.max_steps,
                self._figures(trainer),
                speed,
                left,
            )

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close()

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._close()

    def _show(self, trainer: Trainer) -> None:
        if self._bar:
            self._bar.update(
                self._bar.task_ids[0],
                completed=trainer.global_step,
                figures=self._figures(trainer),
            )

    def _figures(self, trainer: Trainer) -> str:
        shown = {"loss": "train/loss", "AP": self._monitor, "AP50": f"{self._monitor}_50"}
        metrics = trainer.callback_metrics
        figures = [
            f"{name} {float(metrics[key]):.3g}" for name, key in shown.items() if key in metrics
        ]
        return ", ".join(figures)

    def _close(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None

"""Stops a training on a signal, at a step from which it continues exactly."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities.exceptions import SIGTERMException
from typing_extensions import override

from etram_pipeline.core.ranks import sum_over_ranks
from etram_pipeline.training.checkpoints import BestAndLast, is_step_done

logger = logging.getLogger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)

_AT_ONCE = "training was stopped immediately; the same command continues from the last checkpoint"


class StopOnSignal(Callback):
    """On Ctrl-C, SIGTERM or SIGUSR1, saves the training after the current step, and ends it.

    A second signal ends it immediately. After the last step, the validation still runs, because
    there is no step left to continue with.
    """

    def __init__(self, keeper: BestAndLast) -> None:
        """Save with `keeper`."""
        self._keeper = keeper
        self._signal = 0

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning's own handlers, which it has just set, save nothing.
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                signal.signal(number, self._note)

    @override
    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        if not is_step_done(trainer) or trainer.should_stop:
            return
        if self._is_any_signalled(trainer, pl_module.device):
            self._keeper.keep(trainer)
            self._end(trainer)

    @override
    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *_: object, **__: object
    ) -> None:
        if self._signal and not trainer.should_stop:
            self._end(trainer)  # it was saved before the validation

    def _is_any_signalled(self, trainer: Trainer, device: torch.device) -> bool:
        """Whether any process got a signal; all processes have to save the same step."""
        if trainer.world_size == 1:
            return self._signal > 0  # reading a value of the GPU would wait for its current step
        return bool(sum_over_ranks(torch.tensor(float(self._signal), device=device)) > 0)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self._signal:
            _stop(number, _AT_ONCE)
        self._signal = number
        logger.warning(
            "stopping after this step, to save it; press Ctrl-C again to stop immediately"
        )

    def _end(self, trainer: Trainer) -> NoReturn:
        message = (
            f"stopped at step {trainer.global_step} of {trainer.max_steps}; the same command "
            "continues from there"
        )
        if trainer.is_global_zero:
            logger.warning(message)
        _stop(self._signal or signal.SIGTERM, message)


@contextmanager
def exit_as_signalled() -> Iterator[None]:
    """Raise the error that a signal stands for.

    Lightning raises `SystemExit` after Ctrl-C, and ends with success after SIGTERM. Signal handlers
    are restored as well, because Lightning leaves Ctrl-C ignored.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    except SIGTERMException as error:
        raise SystemExit(128 + signal.SIGTERM) from error
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            message = str(error.__context__) or _AT_ONCE
            raise KeyboardInterrupt(message) from error
        raise
    finally:
        if in_main_thread:
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _stop(number: int, message: str) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt(message)
    raise SystemExit(128 + number)

"""Ending a training that is told to end, where it can go on to the last bit."""

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

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_AT_ONCE = "training was stopped at once; the same command continues from the last checkpoint"


class StopWhenTold(Callback):
    """On Ctrl-C or SIGTERM, saves the training after the current step, and ends it.

    A second signal ends it at once. The last step is still validated: nothing is left to train that
    a state from before could be continued with.
    """

    def __init__(self, keeper: BestAndLast) -> None:
        """Have `keeper` save."""
        self._keeper = keeper
        self._told = 0

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
        if self._is_any_told(trainer, pl_module.device):
            self._keeper.keep(trainer)
            self._end(trainer)

    @override
    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *_: object, **__: object
    ) -> None:
        if self._told and not trainer.should_stop:
            self._end(trainer)  # it was saved before the validation

    def _is_any_told(self, trainer: Trainer, device: torch.device) -> bool:
        """Whether any process is told: they may be so at different steps, but save the same one."""
        if trainer.world_size == 1:
            return self._told > 0  # asking a GPU would wait for the step it computes
        return bool(sum_over_ranks(torch.tensor(float(self._told), device=device)) > 0)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self._told:
            _stop(number, _AT_ONCE)
        self._told = number
        logger.warning("stopping after this step, to save it; once more, to stop at once")

    def _end(self, trainer: Trainer) -> NoReturn:
        message = (
            f"stopped at step {trainer.global_step} of {trainer.max_steps}; the same command "
            "continues from there"
        )
        if trainer.is_global_zero:
            logger.warning(message)
        _stop(self._told or signal.SIGTERM, message)


@contextmanager
def honest_exit() -> Iterator[None]:
    """Let an interruption look like one: Lightning turns it into an exit, and SIGTERM into success.

    Lightning also leaves Ctrl-C switched off.
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

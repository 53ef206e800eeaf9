"""A running average of the weights, which is validated and saved."""

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn
from typing_extensions import override

_LEARNING = "learning_state_dict"


class WeightAverage(Callback):
    """Averages the weights over the steps and takes their place while the detector is scored.

    The decay warms up from 0.18 to `decay` over the first steps, so that the random initial weights
    are soon forgotten. Counters, such as those of batch normalisation, are copied.

    A checkpoint holds the average as `state_dict`, where readers look for weights, and the weights
    being trained under a key of their own, from which training continues.

    Lightning's `WeightAveraging` is not used. Its first update replaces the average by the current
    weights, so the same seed would give other weights than before. It stores other keys and counts,
    so a training that was interrupted before the change could not continue from `last.ckpt` without
    a conversion as long as this class. It exists since Lightning 2.6 only.
    """

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._average: dict[str, Tensor] = {}
        self._num_updates = 0

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        state = pl_module.state_dict()
        start = self._average or state
        self._average = {name: start[name].detach().to(state[name], copy=True) for name in state}

    @override
    @torch.no_grad()
    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        if trainer.global_step == self._num_updates:
            return
        self._num_updates = trainer.global_step
        keep = min(self._decay, (1 + self._num_updates) / (10 + self._num_updates))
        state = pl_module.state_dict()
        real = [name for name, value in state.items() if value.is_floating_point()]
        averages, values = ([of[name] for name in real] for of in (self._average, state))
        get_ema_multi_avg_fn(keep)(averages, values, None)
        for name in state.keys() - set(real):
            self._average[name].copy_(state[name])

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._exchange(pl_module)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._exchange(pl_module)

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[_LEARNING] = checkpoint["state_dict"]
        checkpoint["state_dict"] = dict(self._average)

    @override
    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if _LEARNING in checkpoint:
            self._average = dict(checkpoint["state_dict"])
            pl_module.load_state_dict(checkpoint[_LEARNING])

    @property
    @override
    def state_key(self) -> str:
        return "WeightAverage"  # the name in checkpoints, which stays when the class is renamed

    @override
    def state_dict(self) -> dict[str, int]:
        return {"num_updates": self._num_updates}

    @override
    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self._num_updates = state_dict["num_updates"]

    @torch.no_grad()
    def _exchange(self, pl_module: LightningModule) -> None:
        state = pl_module.state_dict()
        # All at first: a weight that has two names would come back from its second exchange.
        kept = {name: value.clone() for name, value in state.items()}
        for name, value in state.items():
            value.copy_(self._average[name])
            self._average[name].copy_(kept[name])

"""State that a training needs, besides weights and position, to continue bit for bit."""

import logging
import random
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, UInt32
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from typing_extensions import override

from etram_pipeline.core.ranks import gather_to_first_rank
from etram_pipeline.training.module import DetectionModule

logger = logging.getLogger(__name__)

PROCESSES_KEY = "processes"
"""Key of a checkpoint for the state that differs between processes."""


class ExactResume(Callback):
    """Saves the recurrent state and the random state of each process.

    Everything is stored as tensors and plain data, so a checkpoint opens without this package.
    """

    def __init__(self, lanes: int, seed: int) -> None:
        """Remember `lanes` lanes of each process; processes that begin anew draw from `seed`."""
        self._lanes = lanes
        self._seed = seed
        self._saved: dict[str, Any] | None = None

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        own = _module(pl_module).memory.saved() | {"random": random_state(pl_module.device)}
        checkpoint[PROCESSES_KEY] = {"lanes": self._lanes, "each": gather_to_first_rank(own)}

    @override
    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._saved = checkpoint.get(PROCESSES_KEY, {"lanes": 0, "each": []})

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Not earlier: to make an iterator over a loader is to draw a random number.
        if self._saved is None:
            self._draw_apart(trainer)
            return
        saved, self._saved = self._saved, None
        each = saved["each"]
        if saved["lanes"] != self._lanes or len(each) != trainer.world_size:
            self._begin_anew(trainer, saved)
            return
        own = each[trainer.global_rank]
        _module(pl_module).memory.restore(own, pl_module.device)
        set_random_state(own["random"], pl_module.device)

    def _begin_anew(self, trainer: Trainer, saved: dict[str, Any]) -> None:
        self._draw_apart(trainer)
        if not trainer.is_global_zero:
            return
        if not saved["each"]:
            logger.warning(
                "the checkpoint was saved by a version that did not store the recurrent state: all "
                "lanes start with an empty state, so the result will differ slightly from that of "
                "a training without interruption"
            )
            return
        logger.warning(
            "the checkpoint was saved by %d processes with %d lanes each, but training "
            "continues in %d with %d: recurrent and random states cannot be redistributed, so all "
            "lanes start with an empty state and new random numbers",
            len(saved["each"]),
            saved["lanes"],
            trainer.world_size,
            self._lanes,
        )

    def _draw_apart(self, trainer: Trainer) -> None:
        """Give each process but the first random numbers of its own, which dropout needs."""
        if trainer.global_rank > 0:
            torch.manual_seed(self._seed + trainer.global_rank)


def _module(pl_module: LightningModule) -> DetectionModule:
    if not isinstance(pl_module, DetectionModule):
        raise TypeError(f"there are no lanes in a {type(pl_module).__name__}")
    return pl_module


def random_state(device: torch.device) -> dict[str, Any]:
    """State of every random number generator in use, as tensors and plain data."""
    version, words, gauss = random.getstate()
    of_numpy = np.random.get_state(legacy=False)  # noqa: NPY002, libraries draw from it
    mersenne = {"key": _as_tensor(of_numpy["state"]["key"]), "pos": of_numpy["state"]["pos"]}
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "python": (version, torch.tensor(words), gauss),
        "numpy": of_numpy | {"state": mersenne},
    }


def set_random_state(saved: dict[str, Any], device: torch.device) -> None:
    """Restore the state of every generator from `random_state`."""
    torch.set_rng_state(saved["torch"])
    if device.type == "cuda" and saved["cuda"] is not None:
        torch.cuda.set_rng_state(saved["cuda"], device)
    version, words, gauss = saved["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
    mersenne = saved["numpy"]["state"]
    key = mersenne["key"].numpy().astype(np.uint32)
    of_numpy = saved["numpy"] | {"state": {"key": key, "pos": mersenne["pos"]}}
    np.random.set_state(of_numpy)  # noqa: NPY002, likewise


def _as_tensor(words: UInt32[np.ndarray, " N"]) -> Int64[Tensor, " N"]:
    return torch.from_numpy(words.astype(np.int64))

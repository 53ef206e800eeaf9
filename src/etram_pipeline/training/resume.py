"""What a training needs, beside weights and position, to continue to the last bit."""

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
"""Where a checkpoint keeps what differs between the processes of a training."""


class ExactResume(Callback):
    """Saves what each process remembers: the state of its lanes and of its random numbers.

    Everything is kept as tensors and plain data, so that a checkpoint opens without this program.
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
                "the checkpoint was saved by a version that did not keep what streams remember: "
                "they begin with empty memory, so the result will differ slightly from that of a "
                "training without interruption"
            )
            return
        logger.warning(
            "the checkpoint was saved by %d processes with %d lanes each, and training goes on in "
            "%d with %d: streams begin with empty memory and random numbers anew, as there is no "
            "way to share them out",
            len(saved["each"]),
            saved["lanes"],
            trainer.world_size,
            self._lanes,
        )

    def _draw_apart(self, trainer: Trainer) -> None:
        """Let each process draw numbers of its own, which dropout needs; the first one's stay."""
        if trainer.global_rank > 0:
            torch.manual_seed(self._seed + trainer.global_rank)


def _module(pl_module: LightningModule) -> DetectionModule:
    if not isinstance(pl_module, DetectionModule):
        raise TypeError(f"there are no lanes in a {type(pl_module).__name__}")
    return pl_module


def random_state(device: torch.device) -> dict[str, Any]:
    """State of every generator that something may draw from, in tensors and plain data."""
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
    """Have every generator go on from what `random_state` gave."""
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

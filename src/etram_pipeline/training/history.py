"""The metrics of a training as a table."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor
from typing_extensions import override

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.ranks import num_ranks, sum_over_ranks
from etram_pipeline.models.detector import COUNT

HISTORY = "history.csv"
COLUMNS = ("step", "name", "value")

_OF_VALIDATION = "val/"


class History:
    """Every metric in `history.csv`: step, name and value.

    A training that continues drops what was written after the step it continues from.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / HISTORY

    @rank_zero_only
    def append(self, step: int, metrics: Mapping[str, Tensor | float]) -> None:
        """Add a row for each metric."""
        rows = [(step, name, float(value)) for name, value in metrics.items()]
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerows(rows)

    @rank_zero_only
    def forget_after(self, step: int) -> None:
        """Drop rows of later steps, and a last row that was cut short."""
        self._keep(lambda of_step, _name: of_step <= step)

    @rank_zero_only
    def forget_scores(self, step: int) -> None:
        """Drop what a validation after this step wrote."""
        self._keep(lambda of_step, name: of_step != step or not name.startswith(_OF_VALIDATION))

    def _keep(self, wanted: Callable[[int, str], bool]) -> None:
        rows = read_history(self._path) if self._path.exists() else []
        with written_whole(self._path) as partial, partial.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(row for row in rows if wanted(row[0], row[1]))


class Recorder(Callback):
    """Records the metrics of steps and validations, and passes those of steps to the loggers.

    A row is written before the state of its step is saved: whenever a training is killed, the rows
    up to the state it continues from are there.
    """

    def __init__(self, history: History, every_steps: int) -> None:
        """Write into `history`, every `every_steps` steps and after the last one."""
        self._history = history
        self._every_steps = every_steps
        self._seen_step = self._began_at = 0

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._seen_step = self._began_at = trainer.global_step
        self._history.forget_after(trainer.global_step)

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: object
    ) -> None:
        step = trainer.global_step
        if step == self._seen_step:  # gradients of this batch wait for those of the next
            return
        self._seen_step = step
        if step % self._every_steps == 0 or step >= trainer.max_steps:
            metrics = {**_over_ranks(outputs["metrics"]), **outputs["rates"]}
            named = {f"train/{name}": value for name, value in metrics.items()}
            self._history.append(step, named)
            pl_module.log_dict(named, batch_size=1)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        metrics = trainer.callback_metrics.items()
        scores = {name: value for name, value in metrics if name.startswith(_OF_VALIDATION)}
        if trainer.global_step == self._began_at:
            # A training that was killed before it saved its validation has now repeated it.
            self._history.forget_scores(trainer.global_step)
        self._history.append(trainer.global_step, scores)


def read_history(path: Path) -> list[tuple[int, str, float]]:
    """Rows of a history: step, name and value; without a last one that is cut short.

    Raises:
        StoreError: If it is damaged.
    """
    try:
        whole, _, _ = path.read_text().rpartition("\n")
        rows = list(csv.reader(whole.splitlines()))[1:]
        return [(int(step), name, float(value)) for step, name, value in rows]
    except (ValueError, csv.Error) as error:
        raise StoreError(
            f"{path} is damaged: delete it and run the same command again; the loss curves so far "
            "are lost"
        ) from error


def _over_ranks(metrics: Mapping[str, Tensor]) -> dict[str, Tensor | float]:
    """Metrics over all processes: counts are summed, other metrics are averaged."""
    total = sum_over_ranks(torch.stack([value.float() for value in metrics.values()]))
    return {
        name: value if name.startswith(COUNT) else value / num_ranks()
        for name, value in zip(metrics, total, strict=True)
    }

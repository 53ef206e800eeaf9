"""The course of a training as a table."""

import csv
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only
from typing_extensions import override

from etram_pipeline.core.files import written_whole

HISTORY = "history.csv"
COLUMNS = ("step", "name", "value")


class History(Logger):
    """Appends every metric to `history.csv`: step, name and value.

    A training that continues drops what was written after the step it continues from.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._path = folder / HISTORY

    @property
    @override
    def name(self) -> str:
        return "history"

    @property
    @override
    def version(self) -> str:
        return ""

    @override
    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        # Lightning counts the steps before the one that made the metrics.
        rows = [(1 + (step or 0), name, value) for name, value in metrics.items()]
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerows(row for row in rows if row[1] != "epoch")

    @override
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Parameters are kept with the checkpoint."""

    @rank_zero_only
    def forget_after(self, step: int) -> None:
        """Drop rows of later steps, and a last row that was cut short."""
        rows = read_history(self._path) if self._path.exists() else []
        with written_whole(self._path) as partial, partial.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(row for row in rows if row[0] <= step)


class ContinueHistory(Callback):
    """Has the history continue at the step that training continues at."""

    def __init__(self, history: History) -> None:
        self._history = history

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._history.forget_after(trainer.global_step)


def read_history(path: Path) -> list[tuple[int, str, float]]:
    """Rows of a history: step, name and value."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [(int(row[0]), row[1], float(row[2])) for row in rows if len(row) == len(COLUMNS)]

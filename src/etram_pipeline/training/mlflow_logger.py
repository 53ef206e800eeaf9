"""Logs step metrics to the MLflow run of this process."""

from collections.abc import Mapping
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only
from typing_extensions import override

from etram_pipeline.mlflow_logging.run_entries import metrics_entry
from etram_pipeline.mlflow_logging.run_log import RunLog, current_log


class RunLogger(Logger):
    """Sends Lightning's metrics to a run, which stays open after training.

    The run already has its parameters, so none are added. Waiting for the database at every point
    would take longer than a small training step, so points are sent in the background.
    """

    def __init__(self, log: RunLog) -> None:
        super().__init__()
        self._log = log

    @property
    @override
    def name(self) -> str:
        return "mlflow"

    @property
    @override
    def version(self) -> str:
        return self._log.run_id

    @override
    def log_hyperparams(self, params: Any, *args: Any, **options: Any) -> None:
        """Do nothing: the run already has its parameters."""

    @override
    def log_metrics(self, metrics: Mapping[str, float | int], step: int | None = None) -> None:
        wanted = {name: value for name, value in metrics.items() if name != "epoch"}
        # Lightning counts the steps before the one that made the metrics.
        self._log.write_later(metrics_entry(wanted, 1 + (step or 0)))

    @override
    def finalize(self, status: str) -> None:
        """Send what is left, and leave the run open."""
        self._log.flush()


def lightning_loggers() -> list[Logger]:
    """A logger for the run that `MLFLOW_RUN_ID` names, in the first process; none without a run."""
    if rank_zero_only.rank > 0:  # type: ignore[attr-defined]
        return []
    log = current_log()
    return [] if log is None else [RunLogger(log)]

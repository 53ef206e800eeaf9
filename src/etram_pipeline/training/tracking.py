"""Step metrics into the MLflow run that this process belongs to."""

import os
from collections.abc import Mapping
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only
from typing_extensions import override


def lightning_loggers() -> list[Logger]:
    """A logger for the run that `MLFLOW_RUN_ID` names, in the first process; none without a run.

    The run goes on after training and has its parameters already, so the logger neither ends it nor
    adds parameters. MLflow is imported only if it is needed.
    """
    run_id = os.environ.get("MLFLOW_RUN_ID")
    if not run_id or rank_zero_only.rank > 0:  # type: ignore[attr-defined]
        return []
    from pytorch_lightning.loggers import MLFlowLogger

    class RunLogger(MLFlowLogger):
        @override
        def finalize(self, status: str = "success") -> None:
            """Leave the run open."""

        @override
        def log_hyperparams(self, params: Any) -> None:
            """Leave the parameters as they are."""

        @override
        def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
            wanted = {name: value for name, value in metrics.items() if name != "epoch"}
            # Lightning counts the steps before the one that made the metrics.
            super().log_metrics(wanted, 1 + (step or 0))

    # Waiting for the database at every point would cost more than a small training step.
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    return [RunLogger(run_id=run_id, tracking_uri=uri, synchronous=False)]

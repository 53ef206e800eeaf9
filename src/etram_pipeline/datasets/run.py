"""How the current run was started, to identify its results later."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from typing_extensions import override

from etram_pipeline.core.provenance import code_version, command_line


class RunFactsDataset(AbstractDataset[object, dict[str, str]]):
    """Date, command and code version of the run that loads it; nothing is stored.

    Args:
        metadata: Read by kedro-viz.
    """

    def __init__(self, *, metadata: dict[str, Any] | None = None) -> None:
        self.metadata = metadata

    @override
    def load(self) -> dict[str, str]:
        return {
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "command": command_line(),
            "commit": _commit(),
            "this run (MLflow)": os.environ.get("MLFLOW_RUN_ID", "not logged"),
        }

    @override
    def save(self, data: object) -> None:
        raise DatasetError("the facts of a run are read from the run itself and cannot be saved")

    @override
    def _describe(self) -> dict[str, Any]:
        return {}


def _commit() -> str:
    version = code_version(Path.cwd())
    if version is None:
        return "not in a git repository"
    return f"{version.commit} with changes" if version.has_changes else version.commit

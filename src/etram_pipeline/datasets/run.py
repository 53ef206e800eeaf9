"""How the run at hand was started: what results are told apart by later."""

import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from typing_extensions import override

from etram_pipeline.core.masking import mask_arguments


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
            "command": shlex.join(["kedro", *mask_arguments(sys.argv[1:])]),
            "commit": _commit(),
            "this run (MLflow)": os.environ.get("MLFLOW_RUN_ID", "not tracked"),
        }

    @override
    def save(self, data: object) -> None:
        raise DatasetError("facts of a run are read from the run itself; nothing is saved")

    @override
    def _describe(self) -> dict[str, Any]:
        return {}


def _commit() -> str:
    def git(*words: str) -> str:
        try:
            done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return ""
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    if not commit:
        return "not in a git repository"
    changed = git("status", "--porcelain", "--untracked-files=no")
    return f"{commit} with changes" if changed else commit

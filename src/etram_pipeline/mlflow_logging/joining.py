"""The existing MLflow run that a `kedro run` joins instead of beginning a new one.

The parameter `run_id` names it, or else the environment variable `MLFLOW_RUN_ID`.
"""

import os
from typing import TYPE_CHECKING

from etram_pipeline.core.masking import mask_text
from etram_pipeline.mlflow_logging.run_log import RUN_ID, TRACKING_URI, is_inherited
from etram_pipeline.mlflow_logging.store import MlflowStoreError

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient


def find_joined(client: "MlflowClient", run_id: str | None, uri: str) -> "Run | None":
    """The run to join; None if none is named.

    `MLFLOW_RUN_ID` is ignored in processes that a `kedro run` started: that run is still open, and
    ends by itself.

    Args:
        client: Client for the store at `uri`.
        run_id: Id of the run that the settings name.
        uri: Address of the store.

    Raises:
        MlflowStoreError: If the store has no such run, if it was deleted, or if `MLFLOW_RUN_ID`
            names a run that is finished.
    """
    if run_id:
        return find_run(client, run_id, uri, "run_id")
    run_id = os.environ.get(RUN_ID)
    if not run_id or is_inherited():
        return None
    run = find_run(client, run_id, uri, RUN_ID)
    if run.info.status == "FINISHED":
        raise MlflowStoreError(
            f"{RUN_ID}={run_id}: this run is finished, and its results would be replaced: unset "
            f"{RUN_ID} to begin a new run, or add to this one with `--params run_id={run_id}`"
        )
    return run


def find_run(client: "MlflowClient", run_id: str, uri: str, source: str) -> "Run":
    """The run of an id.

    Args:
        client: Client for the store at `uri`.
        run_id: Its id.
        uri: Address of the store.
        source: The parameter or the variable that names the run, for messages.

    Raises:
        MlflowStoreError: If the store has no such run, or it was deleted.
    """
    from mlflow import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise
        raise MlflowStoreError(
            f"{source}={run_id}: MLflow store {mask_text(uri)} has no such run; "
            f"{_remedy(uri, source)}"
        ) from error
    if run.info.lifecycle_stage == "deleted":
        without = f"unset {RUN_ID}" if source == RUN_ID else f"leave {source} out"
        raise MlflowStoreError(
            f"{source}={run_id}: this run was deleted: restore it with `mlflow runs restore "
            f"--run-id {run_id}`, or {without} to begin a new run"
        )
    return run


def _remedy(uri: str, source: str) -> str:
    other = os.environ.get(TRACKING_URI)
    if other and other != uri:
        return (
            f"mlflow.yml sets this store with `uri`, but {TRACKING_URI} is {mask_text(other)}: "
            "if the run is there, set `uri: null`"
        )
    if source == RUN_ID:
        return (
            f"set `uri` in mlflow.yml or {TRACKING_URI} to the store of the run, or unset {RUN_ID} "
            "to begin a new run"
        )
    return "an id has 32 digits, and the log and the page of a run show it"

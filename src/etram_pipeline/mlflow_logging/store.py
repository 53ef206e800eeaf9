"""Finds, checks and opens the MLflow store of a run before anything is computed."""

import fcntl
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field

from etram_pipeline.core.component import Settings
from etram_pipeline.core.errors import EtramError
from etram_pipeline.core.locks import lock
from etram_pipeline.core.masking import mask_text
from etram_pipeline.mlflow_logging.database import database_path, database_uri, prepare_database
from etram_pipeline.mlflow_logging.run_entries import short
from etram_pipeline.mlflow_logging.run_log import TRACKING_URI, open_client

if TYPE_CHECKING:
    from mlflow.entities import Experiment
    from mlflow.tracking import MlflowClient

logger = logging.getLogger(__name__)

_PATIENCE_S = 300.0
"""How long to wait for other runs that open the database; the first one creates it slowly."""

_NEWS_S = 5.0

_WITHOUT = "or run without MLflow: `kedro run --params mlflow=false`"

_NO_ANSWER = "no server answers: start it, or check `uri` in mlflow.yml"
_OF_SERVERS = (
    (
        r"\b401\b|Unauthorized|UNAUTHENTICATED",
        "it refuses the login: check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
        "MLFLOW_TRACKING_TOKEN",
    ),
    (r"\b403\b|Forbidden|PERMISSION_DENIED", "this user may not write there: ask for the right"),
    (
        r"\b404\b|valid JSON|Expecting value",
        "what answers there is no MLflow server: check `uri` in mlflow.yml",
    ),
    (r"certificate", "its certificate is not trusted: set MLFLOW_TRACKING_SERVER_CERT_PATH"),
    (
        r"\b5\d\d\b|INTERNAL_SERVER_ERROR|ResponseError",
        "the server answers with an error: look into its log, or try again later",
    ),
    (r"Max retries|timed? ?out|refused|resolve|unreachable|not known|aborted", _NO_ANSWER),
)
_OF_DATABASES = (
    (
        r"Can't locate revision",
        "a newer version of MLflow made it: install that version, or set another `uri` in "
        "mlflow.yml",
    ),
    (
        r"out-of-date database schema",
        "an older version of MLflow made it: make a backup, then `mlflow db upgrade {uri}`",
    ),
    (
        r"maintenance mode|unsupported URI|Could not parse|Can't load plugin",
        "this is the address of no store: write `sqlite:///` and the path of a file, or the `http` "
        "address of a server, as `uri` in mlflow.yml or MLFLOW_TRACKING_URI",
    ),
    (
        r"not a database|malformed|disk image|already exists|no such (?:table|column)|duplicate "
        r"column",
        "the database is damaged: move it away, and a new one is made, or restore a copy",
    ),
    (r"No module named '([\w.]+)'", "the Python package `{0}`, which it is read with, is missing"),
    (r"is locked", "another program holds the database: end it, or wait until it is done"),
    (
        r"readonly|read-only|Permission denied|unable to open database",
        "it cannot be written: check the rights on the file and its folder, or set `uri` in "
        "mlflow.yml",
    ),
    (r"disk is full|No space left", "its disk is full: make room"),
    (r"authentication failed|Access denied", "it refuses the login: check `uri` in mlflow.yml"),
    (r"timed? ?out|refused|resolve|translate host|could not connect|Can't connect", _NO_ANSWER),
)


class MlflowStoreError(EtramError):
    """The MLflow store cannot be used, or lacks the requested run or experiment."""


class StoreUnavailableError(MlflowStoreError):
    """The MLflow store cannot be used at all."""


class MlflowSettings(Settings):
    """Settings in `conf/*/mlflow.yml`.

    Attributes:
        enabled: Whether to log runs in MLflow.
        uri: Address of the store; by default MLFLOW_TRACKING_URI, or else a file in the project.
        experiment: Name of the experiment; created if it does not exist.
        run_name: Name of the run; by default it lists what differs from the default parameters.
        run_id: Run to continue; by default the one that MLFLOW_RUN_ID names, if it is set.
        when_unreachable: What to do if the store cannot be used: stop, or run without MLflow.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    enabled: bool = True
    uri: str | None = None
    experiment: str = Field(default="etram_pipeline", min_length=1)
    run_name: str | None = None
    run_id: str | None = None
    when_unreachable: Literal["stop", "continue"] = "stop"


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turn errors of MLflow and of the libraries below it into a `StoreUnavailableError`."""
    try:
        yield
    except EtramError:
        raise
    except Exception as error:
        raise StoreUnavailableError(store_fault(error, uri)) from error


def store_fault(error: BaseException, uri: str) -> str:
    """What is wrong with the store at `uri`, and how to fix it."""
    shown = mask_text(uri)
    text = re.sub(r"port=\d+|:\d+\b", "", str(error).replace(uri, ""))  # 401 may be a port
    for pattern, remedy in _OF_SERVERS if uri.startswith("http") else _OF_DATABASES:
        if found := re.search(pattern, text, re.IGNORECASE):
            return f"MLflow store {shown}: {remedy.format(*found.groups(), uri=shown)}; {_WITHOUT}"
    return f"MLflow store {shown}: {short(error)}; {_WITHOUT}"


@contextmanager
def opened(uri: str) -> Iterator["MlflowClient"]:
    """A client for the store, with no other run opening a database at the same time.

    Raises:
        StoreUnavailableError: If the store cannot be used.
    """
    path = database_path(uri)
    with store_errors(uri):
        if path is None:
            yield open_client(uri)
            return
        import mlflow.tracking  # noqa: F401  # takes seconds, so it must not happen under the lock

        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            prepare_database(path)
            yield open_client(uri)


def store_uri(settings: MlflowSettings, project: Path) -> str:
    """Address of the store; relative files are in the project, whatever the working directory is.

    Args:
        settings: Settings of the environment.
        project: Project folder.
    """
    uri = settings.uri or os.environ.get(TRACKING_URI)
    if not uri:
        return own_uri(project)
    path = database_path(uri)
    return uri if path is None or path.is_absolute() else database_uri(project / path)


def own_uri(project: Path) -> str:
    """Address of the store of a project that names no other."""
    return database_uri(project / "mlflow.db")


def find_experiment(client: "MlflowClient", name: str, artifacts: str | None) -> "Experiment":
    """The experiment of that name, made if missing with its files at `artifacts`.

    Raises:
        MlflowStoreError: If it was deleted.
    """
    from mlflow import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            experiment = client.get_experiment(client.create_experiment(name, artifacts))
        except MlflowException:  # another run may have made it just now
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    if experiment.lifecycle_stage == "deleted":
        raise MlflowStoreError(
            f"the MLflow experiment '{name}' was deleted: restore it with `mlflow experiments "
            f"restore --experiment-id {experiment.experiment_id}`, or set another `experiment` in "
            "mlflow.yml"
        )
    return experiment


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Be the only one to open a database; the system takes the lock from a process that ends."""
    with path.with_name(f".{path.name}.lock").open("a") as file:
        started, has_told = time.monotonic(), False
        while not _try_to_lock(file):
            waited = time.monotonic() - started
            if waited > _PATIENCE_S:
                raise StoreUnavailableError(
                    f"another run has been opening the MLflow database for {_PATIENCE_S:.0f} s "
                    f"({file.name} is locked): end it, {_WITHOUT}"
                )
            if waited > _NEWS_S and not has_told:
                has_told = True
                logger.info("waiting for another run that opens the MLflow database %s", path)
            time.sleep(0.05)
        yield


def _try_to_lock(file: IO[str]) -> bool:
    try:
        lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""Logs each `kedro run` as one MLflow run.

The catalog states what is logged, under `metadata.mlflow` of a dataset: `metrics: true` logs its
numbers as metrics, `tags: [<name>, …]` logs some of them as tags, `artifact_path: <folder>` stores
its file. The client gets an explicit run id, so it also works from threads. MLflow is imported when
a run starts, not before.
"""

import json
import logging
import os
import shlex
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich
from kedro.framework.hooks import hook_impl
from pydantic import ValidationError
from typing_extensions import override

from etram_pipeline.configuration import RUN_OPTIONS
from etram_pipeline.core.fingerprint import Fingerprinted, fingerprint
from etram_pipeline.core.mappings import flatten
from etram_pipeline.core.masking import mask_text, mask_value, secrets_in
from etram_pipeline.core.metric_names import metric_part
from etram_pipeline.core.validation_errors import describe_errors
from etram_pipeline.datasets.files import path_of
from etram_pipeline.evaluation.headline import headline
from etram_pipeline.mlflow_logging.database import database_path
from etram_pipeline.mlflow_logging.joining import find_joined
from etram_pipeline.mlflow_logging.run_entries import (
    SECONDS,
    RunEntry,
    metrics_entry,
    send,
    send_unsent,
)
from etram_pipeline.mlflow_logging.run_log import UNSENT, RunLog, use_log
from etram_pipeline.mlflow_logging.store import (
    MlflowSettings,
    StoreUnavailableError,
    find_experiment,
    opened,
    own_uri,
    store_uri,
)
from etram_pipeline.mlflow_logging.tags import run_tags
from etram_pipeline.mlflow_logging.view import run_name, view_link, view_tag
from etram_pipeline.requeue import is_to_requeue
from etram_pipeline.run_locks import read_path
from etram_pipeline.session import ResourceHook
from etram_pipeline.yaml_files import ConfigurationError

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node
    from mlflow.entities import Run

logger = logging.getLogger(__name__)

MAX_CHARACTERS = 6000


class MlflowHook(ResourceHook):
    """Records parameters, metrics, files, code version and outcome of a run."""

    def __init__(self) -> None:
        self._log: RunLog | None = None
        self._restore: Callable[[], None] = _do_nothing
        self._link = ""
        self._secrets: set[str] = set()
        self._session = ""
        self._started: dict[str, float] = {}
        self._seconds: dict[str, float] = {}

    @hook_impl
    def after_context_created(self, context: "KedroContext") -> None:
        """Read `conf/*/mlflow.yml`.

        Raises:
            ConfigurationError: If a key is unknown or a value is invalid.
        """
        try:
            self._settings = MlflowSettings.model_validate(context.config_loader["mlflow"])
        except ValidationError as error:
            raise ConfigurationError(f"mlflow.yml: {'; '.join(describe_errors(error))}") from error
        self._project = Path(context.project_path)

    @hook_impl(trylast=True)  # other hooks may refuse the run
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: "Pipeline", catalog: "CatalogProtocol[Any, Any]"
    ) -> None:
        """Open the run, or continue the one asked for.

        Raises:
            MlflowStoreError: If the store cannot be used, unless the settings allow the run to go
                on without it, or if the run to continue does not exist.
        """
        settings, unsent = self._settings, self._project / UNSENT
        if not settings.enabled:
            self._restore = use_log(None, unsent)
            return
        self._catalog = catalog
        self._session, self._started, self._seconds = run_params["run_id"], {}, {}
        parameters = self._parameters(pipeline.inputs())
        self._secrets = secrets_in("", run_params.get("runtime_params") or {})
        self._secrets |= secrets_in("", parameters) | _login()
        try:
            run, log = self._open(settings, run_params, parameters, len(pipeline.nodes))
        except StoreUnavailableError as error:
            if settings.when_unreachable == "stop":
                raise
            logger.warning("this run is not logged in MLflow: %s", error)
            self._restore = use_log(None, unsent)
            return
        self._restore = use_log(log, unsent)
        self._log_parameters(log, parameters, run.data.params)
        logger.info("logged as MLflow run '%s' (%s)", run.info.run_name, run.info.run_id)

    @hook_impl
    def before_dataset_loaded(self, node: "Node") -> None:
        """Start the clock: what a node reads may have to be made first."""
        self._started.setdefault(node.name, time.perf_counter())

    @hook_impl
    def before_node_run(self, node: "Node") -> None:
        """Start the clock of a node that reads nothing."""
        self._started.setdefault(node.name, time.perf_counter())

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str, data: object, node: "Node") -> None:
        """Record which data a node read, and which training made it."""
        if self._log is None:
            return
        if isinstance(data, Fingerprinted):
            self._log_input(self._log, dataset_name, data, node.name)
        self._link_to_training(data)
        if origin := getattr(data, "origin", None):
            self._tag({dataset_name: str(origin)})

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: object, node: "Node") -> None:
        """Log what the catalog says should be kept."""
        if self._log is None:
            return
        self._link_to_training(data)
        dataset: Any = self._catalog.get(dataset_name)
        wanted = (getattr(dataset, "metadata", None) or {}).get("mlflow", {})
        if wanted.get("metrics"):
            self._log.write(metrics_entry(dataset.numbers(data)))
        if names := wanted.get("tags"):
            numbers = dataset.numbers(data)
            self._tag({name: f"{numbers[name]:.12g}" for name in names if name in numbers})
        if "artifact_path" in wanted:
            self._log.write(
                RunEntry(path=str(path_of(dataset) or ""), place=wanted["artifact_path"])
            )
        self._seconds[node.name] = self._taken(node.name)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Close the run as finished, and print its link."""
        if self._log is not None:
            # The logger's handler would break the link.
            rich.get_console().print(self._link, soft_wrap=True, highlight=False, markup=False)
        self._end("FINISHED")

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Close the run as failed, with the traceback."""
        if self._log is not None:
            text = mask_text("".join(traceback.format_exception(error)), self._secrets)
            self._log.write(RunEntry(text=text, place="traceback.txt"))
        self._end("FAILED")

    @override
    def release(self) -> None:
        """Close a run that neither ended nor failed: it was interrupted, or waits to continue."""
        self._end("SCHEDULED" if is_to_requeue() else "KILLED")

    def _open(
        self,
        settings: MlflowSettings,
        run_params: dict[str, Any],
        parameters: Mapping[str, object],
        num_nodes: int,
    ) -> tuple["Run", RunLog]:
        # MLflow's own default would follow the working directory, not the project.
        own, uri = own_uri(self._project), store_uri(settings, self._project)
        artifacts = (self._project / "mlruns").as_uri() if database_path(uri) else None
        metrics = headline(self._parameters(["params:evaluate", "params:train"]))
        tags = self._masked(run_tags(run_params, self._project, num_nodes))
        name = mask_text(settings.run_name or run_name(run_params, parameters, RUN_OPTIONS))
        with opened(uri) as client:
            send_unsent(client, uri, self._project / UNSENT)
            run = find_joined(client, settings.run_id, uri)
            if run is None:
                experiment = find_experiment(client, settings.experiment, artifacts)
                run = client.create_run(experiment.experiment_id, tags=tags, run_name=name)
            else:
                experiment = client.get_experiment(run.info.experiment_id)
                # The tags come first: an earlier session that ends now leaves the status alone.
                send(client, run.info.run_id, RunEntry(tags=tuple(tags.items())))
                client.update_run(run.info.run_id, status="RUNNING")
            if metrics and view_tag(metrics)[0] not in experiment.tags:
                client.set_experiment_tag(experiment.experiment_id, *view_tag(metrics))
        self._log = RunLog(run.info.run_id, uri, self._project / UNSENT, self._session)
        self._link = _how_to_compare(uri, own) + view_link(uri, run.info.experiment_id, metrics)
        return run, self._log

    def _tag(self, tags: Mapping[str, str]) -> None:
        if self._log is not None:
            self._log.write(RunEntry(tags=tuple(self._masked(tags).items())))

    def _masked(self, tags: Mapping[str, str]) -> dict[str, str]:
        return {
            key: mask_text(value, self._secrets)[:MAX_CHARACTERS] for key, value in tags.items()
        }

    def _parameters(self, names: Collection[str]) -> dict[str, object]:
        """Parameters by their full name, as far as the catalog has them."""
        flat: dict[str, object] = {}
        for name in sorted(names):
            if name.startswith("params:") and name in self._catalog:
                flat |= flatten(self._catalog.load(name), name.removeprefix("params:"))
        return flat

    def _log_parameters(
        self, log: RunLog, parameters: Mapping[str, object], already: Mapping[str, str]
    ) -> None:
        masked = {key: mask_value(key, value) for key, value in parameters.items()}
        texts = {metric_part(key): str(value)[:MAX_CHARACTERS] for key, value in masked.items()}
        changed = {key: text for key, text in texts.items() if already.get(key, text) != text}
        for key in changed:
            logger.warning("this run was started with another %s; tagged changed.%s", key, key)
        self._tag({f"changed.{key}": text for key, text in changed.items()})
        new = tuple((key, text) for key, text in texts.items() if key not in already)
        content = json.dumps(masked, indent=2, default=str)
        log.write(RunEntry(params=new, text=content, place="config/parameters.json"))

    def _log_input(self, log: RunLog, name: str, data: object, node: str) -> None:
        dataset = self._catalog.get(name)
        source = mask_text(str(read_path(dataset) or type(dataset).__name__))
        log.write(RunEntry(dataset=(name, fingerprint(data), source, node)))

    def _link_to_training(self, data: object) -> None:
        training = getattr(data, "training_run_id", None)
        if self._log is not None and training and training != self._log.run_id:
            self._tag({"training_run_id": training})

    def _taken(self, node: str) -> float:
        """Seconds since a node started."""
        return round(time.perf_counter() - self._started[node], 2)

    def _end(self, status: str) -> None:
        if self._log is not None:
            log, self._log = self._log, None
            for node in self._started.keys() - self._seconds.keys():  # interrupted or failed
                self._seconds[node] = self._taken(node)
            text = json.dumps(self._seconds, indent=2)
            # One file per session: a run that continues another one keeps its times.
            log.write(RunEntry(text=text, place=f"{SECONDS}/{self._session}.json"))
            log.close(status)
        restore, self._restore = self._restore, _do_nothing
        restore()


def _do_nothing() -> None:
    """Restore nothing: the environment is as it was."""


def _login() -> set[str]:
    return {os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("PASSWORD", "TOKEN")}


def _how_to_compare(uri: str, own: str) -> str:
    if uri.startswith("http"):
        return "compare runs: "
    store = "" if uri == own else f" --backend-store-uri {shlex.quote(mask_text(uri))}"
    return f"compare runs: `mlflow ui{store}`, then "

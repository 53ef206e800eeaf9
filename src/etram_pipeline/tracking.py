"""One MLflow run for each `kedro run`.

What is logged is said in the catalog, under `metadata.mlflow` of a dataset: `metrics: true` logs
its numbers, `artifact_path: <folder>` keeps its file. The client is used with an explicit run id,
so it also works from threads; MLflow is imported when a run starts, not before.
"""

import atexit
import logging
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from pydantic import BaseModel

from etram_pipeline.core.fingerprint import Fingerprinted, fingerprint

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node
    from mlflow.entities import Experiment, Run

logger = logging.getLogger(__name__)

MAX_PARAM_CHARACTERS = 6000
MAX_PARAMS_PER_CALL = 100
MAX_METRICS_PER_CALL = 1000


class Tracking:
    """Records parameters, metrics, files, code version and outcome of a run."""

    def __init__(self) -> None:
        self._run_id = ""
        self._started: dict[str, float] = {}
        self._seconds: dict[str, float] = {}

    @hook_impl
    def after_context_created(self, context: "KedroContext") -> None:
        """Read `conf/*/tracking.yml`."""
        self._config = context.config_loader["tracking"]
        self._project = Path(context.project_path)

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: "Pipeline", catalog: "CatalogProtocol[Any, Any]"
    ) -> None:
        """Open the run, or continue the one asked for."""
        first_rank = int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0
        if not (self._config.get("enabled", True) and first_rank):
            return
        experiment = self._connect()
        self._catalog = catalog
        run = self._open_run(experiment, run_params, len(pipeline.nodes))
        self._run_id = run.info.run_id
        os.environ["MLFLOW_RUN_ID"] = self._run_id
        self._end_when_killed()
        self._log_parameters(pipeline, run.data.params)
        logger.info("tracked as MLflow run '%s' (%s)", run.info.run_name, self._run_id)

    @hook_impl
    def before_node_run(self, node: "Node") -> None:
        """Start the clock."""
        self._started[node.name] = time.perf_counter()

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str, data: object, node: "Node") -> None:
        """Record which data a node read, and which training made it."""
        if not self._run_id:
            return
        if isinstance(data, Fingerprinted):
            self._log_input(dataset_name, data, node.name)
        self._link_to_training(data)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: object, node: "Node") -> None:
        """Log what the catalog says should be kept."""
        if not self._run_id:
            return
        self._link_to_training(data)
        dataset = self._catalog.get(dataset_name)
        wanted = (getattr(dataset, "metadata", None) or {}).get("mlflow", {})
        if wanted.get("metrics"):
            self._log_metrics(dataset, data)
        if "artifact_path" in wanted:
            self._client.log_artifact(self._run_id, _path(dataset), wanted["artifact_path"])
        self._seconds[node.name] = round(time.perf_counter() - self._started[node.name], 2)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Close the run as finished, and say where to look at it."""
        if self._run_id:
            logger.info(
                "compare runs: `mlflow ui`, then http://127.0.0.1:5000/#/experiments/%s/runs"
                "?workflowType=machine_learning&compareRunsMode=CHART",
                self._experiment_id,
            )
        self._end("FINISHED")

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Close the run as failed, with the traceback."""
        if self._run_id:
            text = "".join(traceback.format_exception(error))
            self._client.log_text(self._run_id, text, "traceback.txt")
        self._end("FAILED")

    def _connect(self) -> "Experiment":
        import mlflow
        from mlflow.tracking import MlflowClient

        # MLflow's own default would follow the working directory, not the project.
        uri = (
            self._config.get("uri")
            or os.environ.get("MLFLOW_TRACKING_URI")
            or f"sqlite:///{self._project / 'mlflow.db'}"
        )
        mlflow.set_tracking_uri(uri)
        os.environ["MLFLOW_TRACKING_URI"] = uri
        self._client = MlflowClient(uri)
        name = self._config["experiment"]
        if uri.startswith("sqlite") and self._client.get_experiment_by_name(name) is None:
            self._client.create_experiment(name, (self._project / "mlruns").as_uri())
        experiment = mlflow.set_experiment(name)
        self._experiment_id = experiment.experiment_id
        return experiment

    def _open_run(self, experiment: "Experiment", params: dict[str, Any], num_nodes: int) -> "Run":
        from mlflow.tracking.context.registry import resolve_tags

        names = sorted(params["pipeline_names"] or ["__default__"])
        tags = {
            "kedro.pipelines": "+".join(names),
            "kedro.env": str(params.get("env") or "local"),
            "preset": str((params.get("runtime_params") or {}).get("preset", "")),
            "kedro.command": shlex.join(["kedro", *sys.argv[1:]]),
            "kedro.run_id": params["run_id"],
            "kedro.nodes": str(num_nodes),
            **_git_tags(self._project),
        }
        if run_id := self._config.get("run_id"):
            self._client.update_run(run_id, status="RUNNING")
            for key, value in tags.items():
                self._client.set_tag(run_id, key, value)
            return self._client.get_run(run_id)
        started = params["run_id"][5:16].replace("T", " ")
        name = self._config.get("run_name") or f"{'+'.join(names).strip('_')} {started}"
        return self._client.create_run(
            experiment.experiment_id, tags={**resolve_tags(), **tags}, run_name=name
        )

    def _end_when_killed(self) -> None:
        atexit.register(self._end, "KILLED")  # Ctrl-C is no error to Kedro
        if threading.current_thread() is threading.main_thread():
            # A plain SIGTERM would skip atexit, and leave the run marked as running for ever.
            signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))

    def _log_parameters(self, pipeline: "Pipeline", already: dict[str, str]) -> None:
        from mlflow.entities import Param

        flat: dict[str, object] = {}
        for name in sorted(pipeline.inputs()):
            if name.startswith("params:"):
                flat |= flatten(self._catalog.load(name), name.removeprefix("params:"))
        self._client.log_dict(self._run_id, flat, "config/parameters.json")
        texts = {key: str(value)[:MAX_PARAM_CHARACTERS] for key, value in flat.items()}
        changed = {key: text for key, text in texts.items() if already.get(key, text) != text}
        for key, text in changed.items():
            logger.warning("this run was started with another %s; tagged changed.%s", key, key)
            self._client.set_tag(self._run_id, f"changed.{key}", text)
        new = [Param(key, text) for key, text in texts.items() if key not in already]
        for first in range(0, len(new), MAX_PARAMS_PER_CALL):
            self._client.log_batch(self._run_id, params=new[first : first + MAX_PARAMS_PER_CALL])

    def _log_metrics(self, dataset: Any, data: object) -> None:  # noqa: ANN401  # has `numbers`
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        numbers: Mapping[str, float] = dataset.numbers(data)
        metrics = [Metric(key, float(value), now, 0) for key, value in numbers.items()]
        for first in range(0, len(metrics), MAX_METRICS_PER_CALL):
            self._client.log_batch(
                self._run_id, metrics=metrics[first : first + MAX_METRICS_PER_CALL]
            )

    def _log_input(self, name: str, data: object, node: str) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        entry = Dataset(
            name=name,
            digest=fingerprint(data),
            source_type="local",
            source=_path(self._catalog.get(name)),
        )
        tag = InputTag("mlflow.data.context", node)
        self._client.log_inputs(self._run_id, [DatasetInput(entry, [tag])])

    def _link_to_training(self, data: object) -> None:
        training = getattr(data, "training_run_id", None)
        if training and training != self._run_id:
            self._client.set_tag(self._run_id, "training_run_id", training)
            self._client.set_tag(self._run_id, "mlflow.parentRunId", training)

    def _end(self, status: str) -> None:
        if self._run_id:
            self._client.log_dict(self._run_id, self._seconds, "seconds_by_node.json")
            self._client.set_terminated(self._run_id, status)
            self._run_id = ""
            os.environ.pop("MLFLOW_RUN_ID", None)


def flatten(tree: object, prefix: str = "") -> dict[str, object]:
    """Nested mappings and typed parameters as one level: `{"train.optimizer.lr": 0.001}`."""
    if isinstance(tree, BaseModel):
        tree = tree.model_dump(mode="json", serialize_as_any=True)
    if not isinstance(tree, Mapping) or not tree:
        return {prefix: tree}
    flat: dict[str, object] = {}
    for key, value in tree.items():
        flat |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return flat


def _git_tags(project: Path) -> dict[str, str]:
    def git(*words: str) -> str:
        try:
            done = subprocess.run(
                ["git", *words], cwd=project, capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            return ""
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    if not commit:
        return {}
    return {
        "mlflow.source.git.commit": commit,
        "mlflow.source.git.branch": git("rev-parse", "--abbrev-ref", "HEAD"),
        "git.dirty": str(bool(git("status", "--porcelain", "--untracked-files=no"))).lower(),
    }


def _path(dataset: Any) -> str:  # noqa: ANN401  # any dataset class of any package
    for attribute in ("_filepath", "_path"):
        if hasattr(dataset, attribute):
            return str(getattr(dataset, attribute))
    return type(dataset).__name__

"""Runs of experiments in MLflow, which is the only list of them."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.experiments.definition import Experiment
from etram_pipeline.experiments.project import Project, bootstrap
from etram_pipeline.experiments.validation import PREPARED_PARAMETERS, nested
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.mlflow_logging.database import database_path
from etram_pipeline.mlflow_logging.store import (
    MlflowSettings,
    find_experiment,
    opened,
    store_errors,
)
from etram_pipeline.parameter_types import parameter_faults, parameter_types
from etram_pipeline.training.settings import TrainSettings
from etram_pipeline.yaml_files import ConfigurationError

if TYPE_CHECKING:
    from mlflow.entities import Metric, Run
    from mlflow.tracking import MlflowClient

EXPERIMENT, HYPOTHESIS, SEED = "experiment", "hypothesis", "seed"
DEFINITION, RESULTS, JOB, JOB_STATE = "definition", "results", "slurm.job_id", "slurm.state"
LAUNCHER, HOST, DATA = "launcher", "host", "data"

NO_SEED = -1
"""Seed of a run that trained no detector, such as an evaluation of detections from elsewhere."""

ENDED = ("FINISHED", "FAILED", "KILLED")
"""Statuses of runs that do nothing any more."""

_COMPUTED = ("detector", "evaluate")
"""Parameters that decide results, beside those of the data, the training and the prediction."""

_TRAFFIC = ("track", "count")
"""Parameters that count where they are not the defaults, so that older runs stay valid."""

_WHERE = ("device", "workers")
"""Settings of the prediction that decide nothing."""

_PAGE = 1000


@dataclass(frozen=True)
class ExperimentRun:
    """One run of an experiment, or another run of the project.

    Attributes:
        run_id: Its MLflow run.
        experiment: Name of the experiment; empty if it belongs to none.
        seed: Value of `train.seed`; `NO_SEED` if it is not known.
        status: `SCHEDULED`, `RUNNING`, `FINISHED`, `FAILED` or `KILLED`.
        definition: Fingerprint of what it computes; empty if it belongs to no experiment.
        results: Folder of its detector, detections and report; meaningless without experiment.
        metrics: Latest value of each metric by name.
        params: Parameters by name; empty before the run has begun.
        tags: Everything that MLflow keeps as tags.
        data: Fingerprint of each dataset that it read, by name.
        started_ms: When it was created, in milliseconds since 1970.
        ended_ms: When it ended; None: it has not.
    """

    run_id: str
    experiment: str
    seed: int
    status: str
    definition: str
    results: Path
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    data: Mapping[str, str]
    started_ms: int
    ended_ms: int | None

    @property
    def has_ended(self) -> bool:
        """Whether it does nothing any more."""
        return self.status in ENDED

    @property
    def max_steps(self) -> int | None:
        """Steps of its training; None if they are not known."""
        return _whole(self.params.get("train.max_steps"))


class Registry:
    """Runs of experiments in one MLflow experiment.

    Its methods raise a `StoreUnavailableError` if the MLflow store cannot be used.
    """

    def __init__(self, project: Project, client: "MlflowClient", experiment_id: str) -> None:
        """Read and write with `client`; see `open_registry`."""
        self.project = project
        self.client = client
        self.experiment_id = experiment_id

    def runs(self, names: Iterable[str] | None = None) -> list[ExperimentRun]:
        """All runs, newest first.

        Args:
            names: Experiments whose runs to list; None: all.
        """
        wanted = None if names is None else set(names)
        found = self.search(f"tags.{EXPERIMENT} != ''")
        described = [_described(run) for run in found if _is_seed(run)]
        return [run for run in described if wanted is None or run.experiment in wanted]

    def every_run(self) -> list[ExperimentRun]:
        """All runs, newest first, including those that belong to no experiment."""
        return [_described(run) for run in self.search("")]

    def find(self, run_id: str) -> ExperimentRun | None:
        """The run of that id; None if it was deleted for good."""
        from mlflow.exceptions import MlflowException

        with self.errors():
            try:
                return _described(self.client.get_run(run_id))
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise

    def history(self, run_id: str, metric: str) -> "list[Metric]":
        """All points of a metric."""
        with self.errors():
            return list(self.client.get_metric_history(run_id, metric))

    def run(self, run_id: str) -> ExperimentRun:
        """The present state of a run."""
        with self.errors():
            return _described(self.client.get_run(run_id))

    def schedule(
        self, name: str, experiment: Experiment, seed: int, results: Path
    ) -> ExperimentRun:
        """Create the run of one seed as scheduled; parameters are logged when it begins."""
        tags = {
            EXPERIMENT: name,
            HYPOTHESIS: experiment.hypothesis,
            SEED: str(seed),
            DEFINITION: definition(self.project, experiment, seed),
            RESULTS: str(results),
        }
        return self.run(self.create(f"{name} seed={seed}", tags))

    def create(self, name: str, tags: Mapping[str, str]) -> str:
        """Create a run as scheduled, and return its id."""
        with self.errors():
            run = self.client.create_run(self.experiment_id, tags=dict(tags), run_name=name)
            self.client.update_run(run.info.run_id, status="SCHEDULED")
        return str(run.info.run_id)

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Add tags to a run."""
        with self.errors():
            for key, value in tags.items():
                self.client.set_tag(run_id, key, value)

    def set_status(self, run_id: str, status: str) -> None:
        """Change the status of a run; one that ends gets the time of now."""
        with self.errors():
            if status in ENDED:
                self.client.set_terminated(run_id, status)
            else:
                self.client.update_run(run_id, status=status)

    def search(self, condition: str) -> "list[Run]":
        """Runs that meet a condition of MLflow's search, newest first."""
        found: list[Run] = []
        token = None
        while True:
            with self.errors():
                page = self.client.search_runs(
                    [self.experiment_id],
                    condition,
                    max_results=_PAGE,
                    order_by=["attributes.start_time DESC"],
                    page_token=token,
                )
            found += page
            token = page.token
            if not token:
                return found

    def errors(self) -> AbstractContextManager[None]:
        """Turns errors of MLflow into a `StoreUnavailableError`."""
        return store_errors(self.client.tracking_uri)


def require_mlflow(project: Project, env: str | None) -> None:
    """Refuse to go on where runs would not be in MLflow.

    Raises:
        ConfigurationError: If logging to MLflow is turned off.
    """
    if not MlflowSettings.model_validate(project.loader(env)["mlflow"]).enabled:
        raise ConfigurationError(
            "mlflow.yml: `enabled` is false, but MLflow keeps the list of the runs of experiments: "
            "set it to true"
        )


def open_registry(project: Project, env: str | None) -> Registry:
    """The registry of an environment's experiments.

    Raises:
        MlflowStoreError: If the MLflow store cannot be used.
    """
    uri, experiment = project.store(env)
    artifacts = (project.path / "mlruns").as_uri() if database_path(uri) else None
    with opened(uri) as client:
        found = find_experiment(client, experiment, artifacts)
    return Registry(project, client, found.experiment_id)


def existing_registry(project: Project, env: str | None) -> Registry | None:
    """The registry of an environment's experiments; None if nothing was ever logged there.

    Raises:
        MlflowStoreError: If the MLflow store cannot be used.
    """
    uri, name = project.store(env)
    path = database_path(uri)
    if path is not None and not path.exists():
        return None
    with opened(uri) as client:
        found = client.get_experiment_by_name(name)
    return None if found is None else Registry(project, client, found.experiment_id)


def definition(project: Project, experiment: Experiment, seed: int) -> str:
    """Fingerprint of what a run computes; the content of the preset and of `conf` belongs to it.

    Settings that only say where and how fast a run computes change nothing.

    Raises:
        ConfigurationError: If the settings of the experiment are invalid.
    """
    bootstrap(project.path)
    raw = project.loader(experiment.env, nested(experiment.parameters))["parameters"]
    types, names = parameter_types(), (*PREPARED_PARAMETERS, *_COMPUTED)
    try:
        typed = {name: types[name].model_validate(raw[name]) for name in names}
        traffic = {name: types[name].model_validate(raw[name]) for name in _TRAFFIC}
        typed |= {name: value for name, value in traffic.items() if value != types[name]()}
        predict = PredictSettings.model_validate(raw["predict"]).model_dump(exclude=set(_WHERE))
        train = TrainSettings.model_validate(raw["train"]).outcome() | {"seed": seed}
    except ValidationError as error:
        raise ConfigurationError("\n".join(parameter_faults(raw)) or str(error)) from error
    return fingerprint([experiment.env, experiment.parameters.get("data"), typed, predict, train])


def _is_seed(run: "Run") -> bool:
    tags = run.data.tags
    return {DEFINITION, RESULTS} <= tags.keys() and _whole(tags.get(SEED)) is not None


def _whole(text: str | None) -> int | None:
    """A whole number; None if there is none, as other programs may write anything."""
    return int(text) if text and text.isdecimal() else None


def _described(run: "Run") -> ExperimentRun:
    tags = run.data.tags
    inputs = [] if run.inputs is None else run.inputs.dataset_inputs
    seed = _whole(tags.get(SEED) or run.data.params.get("train.seed"))
    return ExperimentRun(
        run_id=run.info.run_id,
        experiment=tags.get(EXPERIMENT, ""),
        seed=NO_SEED if seed is None else seed,
        status=run.info.status,
        definition=tags.get(DEFINITION, ""),
        results=Path(tags.get(RESULTS, "")),
        metrics=run.data.metrics,
        params=run.data.params,
        tags=tags,
        data={each.dataset.name: each.dataset.digest for each in inputs},
        started_ms=run.info.start_time,
        ended_ms=run.info.end_time,
    )

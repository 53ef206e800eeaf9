"""Finished runs as a comparison shows them."""

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from etram_pipeline.experiments.registry import NO_SEED, ExperimentRun, Registry
from etram_pipeline.experiments.results import seconds_of_run
from etram_pipeline.mlflow_logging.run_entries import NUM_PARAMETERS

if TYPE_CHECKING:
    from etram_pipeline.evaluation.result import Metrics
    from etram_pipeline.reports.comparison import ComparedRun

_TRAINING = "training_run_id"
_RATE = "train.optimizer.learning_rate"
_REPORT = Path("08_reporting") / "report.html"
_DECIDES_NOTHING = ("train.seed", "report.")


def describe_run(
    registry: Registry, run: ExperimentRun, metrics: "Metrics", folder: Path
) -> "ComparedRun":
    """A run with its metrics, and with the course of the training that made its detector.

    Args:
        registry: Where the run is.
        run: The run.
        metrics: What its evaluation found.
        folder: Where the page will be, for links to reports.
    """
    from etram_pipeline.evaluation.comparison import plain_values
    from etram_pipeline.reports.comparison import ComparedRun

    training = training_of(registry, run)
    validated_by, validations = _validations(registry, training, metrics)
    number = _number(training.metrics.get(NUM_PARAMETERS))
    return ComparedRun(
        name=_name(run),
        run_id=run.run_id,
        seed=None if training.seed == NO_SEED else training.seed,
        values=plain_values(metrics),
        validations=validations,
        validated_by=validated_by,
        num_parameters=None if number is None else int(number),
        learning_rate=_number(training.params.get(_RATE)),
        seconds=seconds_of_run(registry, run),
        command=run.tags.get("kedro.command", ""),
        report=_report(run, folder),
    )


def training_of(registry: Registry, run: ExperimentRun) -> ExperimentRun:
    """The run that trained the detector of a run; the same one if it is not known."""
    trained_by = run.tags.get(_TRAINING)
    return (trained_by and registry.find(trained_by)) or run


def settings_of(registry: Registry, run: ExperimentRun) -> dict[str, str]:
    """Parameters of a run and of the training of its detector, without those of its report."""
    params = {**training_of(registry, run).params, **run.params}
    return {name: value for name, value in params.items() if not name.startswith(_DECIDES_NOTHING)}


def _number(value: float | str | None) -> float | None:
    """A finite number; None if there is none, as other programs may log anything."""
    try:
        found = math.nan if value is None else float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _name(run: ExperimentRun) -> str:
    return f"seed {run.seed}" if run.experiment else run.tags.get("mlflow.runName", run.run_id)


def _validations(
    registry: Registry, training: ExperimentRun, metrics: "Metrics"
) -> tuple[str, tuple[tuple[int, float], ...]]:
    """Protocol and course of the validations, by the protocol of the metrics if there are more."""
    last = f"/{metrics.protocol.monitored.name}"
    names = [name for name in training.metrics if name.startswith("val/") and name.endswith(last)]
    own = f"val/{metrics.protocol.name}{last}"
    names = [name for name in names if name.count("/") == own.count("/")]
    if not names:
        return "", ()
    name = own if own in names else names[0]
    points = {point.step: point.value for point in registry.history(training.run_id, name)}
    return name.removeprefix("val/").removesuffix(last), tuple(sorted(points.items()))


def _report(run: ExperimentRun, folder: Path) -> str:
    """Address of a run's report page relative to a folder; empty if it is not on this machine."""
    path = run.results / _REPORT
    if not run.experiment or not path.is_file():
        return ""
    return quote(Path(os.path.relpath(path, folder)).as_posix())

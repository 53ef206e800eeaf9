"""Results of runs, read from the files that MLflow keeps with them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from etram_pipeline.core.errors import StoreError
from etram_pipeline.datasets.metrics import parse_metrics
from etram_pipeline.experiments.registry import ExperimentRun, Registry
from etram_pipeline.mlflow_logging.run_entries import SECONDS

if TYPE_CHECKING:
    from etram_pipeline.evaluation.matches import Matches
    from etram_pipeline.evaluation.result import Metrics
else:  # `status` reads many modules, but rarely results
    Matches = Metrics = object

_METRICS, _MATCHES, _TRACEBACK = "report/metrics.json", "report/matches", "traceback.txt"
_LOSS = "train/loss"

Curve = list[tuple[int, float]]
"""Step and value of each point."""


@dataclass(frozen=True)
class RunResults:
    """What the evaluation of a run found.

    Attributes:
        metrics: By name of the protocol; empty before the run has been evaluated.
        matches: By name of the protocol; empty for runs of versions that did not keep them.
    """

    metrics: Mapping[str, Metrics] = field(default_factory=dict)
    matches: Mapping[str, Matches] = field(default_factory=dict)


def load_results(registry: Registry, run: ExperimentRun) -> RunResults:
    """Results of a run, wherever its MLflow server is.

    Raises:
        StoreError: If a file is damaged, or the folder of all files was moved.
        MlflowStoreError: If the MLflow store cannot be used.
    """
    if _METRICS not in _listed(registry, run, "report"):
        if run.metrics:
            _check_place(registry, run)
        return RunResults()
    with TemporaryDirectory() as folder:
        metrics = _download(registry, run, _METRICS, folder)
        listed = [path for path in _listed(registry, run, _MATCHES) if path.endswith(".npz")]
        return RunResults(
            metrics=_read_metrics(metrics, run),
            matches=_read_matches([_download(registry, run, path, folder) for path in listed], run),
        )


def _check_place(registry: Registry, run: ExperimentRun) -> None:
    with registry.errors():
        place = urlsplit(registry.client.get_run(run.run_id).info.artifact_uri)
    files = Path(url2pathname(place.path))
    everything = files.parents[1] if len(files.parts) > 2 else files  # noqa: PLR2004
    if place.scheme == "file" and not everything.is_dir():
        raise StoreError(
            f"the files of MLflow run {run.run_id} are in {everything}, which does not exist: if "
            f"the project was moved, move it back, or link {everything.parent} to its new folder"
        )


def seconds_of_run(registry: Registry, run: ExperimentRun) -> float | None:
    """Time that the nodes of a run took, without waiting for a machine.

    The times of all its sessions are added, except of those that SIGKILL ended; None if there are
    none.
    """
    taken = []
    with TemporaryDirectory() as folder:
        for path in _listed(registry, run, SECONDS):
            try:
                by_node = json.loads(_download(registry, run, path, folder).read_text())
                taken.append(float(sum(by_node.values())))
            except (ValueError, AttributeError, TypeError):
                continue
    return sum(taken) if taken else None


def training_curves(registry: Registry, run: ExperimentRun) -> dict[str, Curve]:
    """Loss and validation score of a training over its steps, by name."""
    protocol = run.params.get("train.validation.protocol", "")
    wanted = [_LOSS, *(name for name in run.metrics if name == f"val/{protocol}/AP")]
    curves = {}
    for name in wanted:
        if name in run.metrics:
            history = registry.history(run.run_id, name)
            curves[name] = sorted({each.step: each.value for each in history}.items())
    return curves


def _read_metrics(path: Path, run: ExperimentRun) -> dict[str, Metrics]:
    try:
        return parse_metrics(path.read_text())
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(_METRICS, run) from error


def _read_matches(paths: Sequence[Path], run: ExperimentRun) -> dict[str, Matches]:
    if not paths:
        return {}
    from etram_pipeline.evaluation.matches import read_matches

    found = []
    for path in paths:
        try:
            found.append(read_matches(path))
        except StoreError as error:  # it names a file that is deleted soon
            raise _damaged(f"{_MATCHES}/{path.name}", run) from error
    return {matches.protocol.name: matches for matches in found}


def _damaged(path: str, run: ExperimentRun) -> StoreError:
    which = f" ({run.experiment}, seed {run.seed})" if run.experiment else ""
    return StoreError(
        f"{path} of MLflow run {run.run_id}{which} is damaged, or of another version of the "
        "project: evaluate the run again"
    )


def last_line_of_traceback(registry: Registry, run: ExperimentRun) -> str:
    """The error that ended a run; empty if MLflow has none."""
    if _TRACEBACK not in _listed(registry, run, ""):
        return ""
    with TemporaryDirectory() as folder:
        text = _download(registry, run, _TRACEBACK, folder).read_text(errors="replace")
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def _listed(registry: Registry, run: ExperimentRun, folder: str) -> list[str]:
    with registry.errors():
        return [each.path for each in registry.client.list_artifacts(run.run_id, folder or None)]


def _download(registry: Registry, run: ExperimentRun, path: str, folder: str) -> Path:
    with registry.errors():
        return Path(registry.client.download_artifacts(run.run_id, path, folder))

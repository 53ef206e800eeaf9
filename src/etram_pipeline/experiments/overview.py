"""What `kedro experiments status` shows: one row for each run, and a ranking of experiments."""

import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import ExperimentRun
from etram_pipeline.experiments.standing import Board, Standing
from etram_pipeline.mlflow_logging.run_entries import SESSION

LABELS = "labelled_frames"
"""Dataset that holds the ground truth."""

_LOSS = "train/loss"
_SESSION = "%Y-%m-%dT%H.%M.%S.%fZ"


@dataclass(frozen=True)
class Row:
    """One run of an experiment; the attributes are the keys of `status --json`.

    Attributes:
        experiment: Name of the experiment.
        seed: Its seed; None if the file of the experiment is invalid.
        state: `not launched`, `scheduled`, `running`, `finished`, `failed`, `killed`, `out of date`
            (its file has changed since) or `invalid` (its file cannot be used).
        problem: What is wrong, in one line; empty if nothing.
        step: Training step that a running run has reached; None if unknown.
        max_steps: Training steps of the run; None if unknown.
        metric: Name of the metric in MLflow; None if the settings of the experiment are invalid.
        value: Its value; None if it is not known.
        low: Lower end of its 95 % interval over recordings; None if it has none.
        high: Upper end.
        seconds: Time since it began last, or from then until it ended; None before that.
        launched: When it was launched, in UTC.
        ended: When it ended; None: it has not.
        run_id: Its MLflow run.
        results: Folder of its detector, detections and report.
    """

    experiment: str
    seed: int | None
    state: str
    problem: str
    step: int | None = None
    max_steps: int | None = None
    metric: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    seconds: float | None = None
    launched: str | None = None
    ended: str | None = None
    run_id: str | None = None
    results: str | None = None


@dataclass(frozen=True)
class Rank:
    """Place of an experiment among those that were evaluated alike.

    Attributes:
        metric: Name of the metric in MLflow, which contains split and protocol.
        labels: Fingerprint of the labels; empty if it was not logged.
        place: 1 for the best.
        experiment: Name of the experiment.
        mean: Mean over its finished seeds.
        spread: Standard deviation over them; None for a single one.
        seeds: Its finished seeds.
    """

    metric: str
    labels: str
    place: int
    experiment: str
    mean: float
    spread: float | None
    seeds: tuple[int, ...]


def status(
    names: Sequence[str] = (), metric: str = "AP", project: Project | None = None
) -> list[Row]:
    """Where all runs of some experiments stand.

    Args:
        names: Names of the experiments; empty: all.
        metric: Metric to show, under the first protocol of each experiment.
        project: Their project; None: the one around the working directory.

    Raises:
        ConfigurationError: If there is no experiment of a name, or no such metric.
        MlflowStoreError: If the MLflow store cannot be used.
    """
    return find_rows(Board(project or Project.find()), names, metric)


def leaderboard(
    names: Sequence[str] = (), metric: str = "AP", project: Project | None = None
) -> list[Rank]:
    """Experiments by the mean of a metric over their finished seeds, best first.

    Only experiments with the same protocol, split and labels are ranked among each other.

    Args:
        names: Names of the experiments; empty: all.
        metric: Metric to rank by, under every protocol.
        project: Their project; None: the one around the working directory.
    """
    return find_ranks(Board(project or Project.find()), names, metric)


def find_rows(board: Board, names: Sequence[str] = (), metric: str = "AP") -> list[Row]:
    """As `status`, of a board that has been read."""
    chosen = board.chosen(names)
    board.check_metric(chosen, metric)
    return [_row(board, each, metric) for each in board.standings if each.experiment in chosen]


def find_ranks(board: Board, names: Sequence[str] = (), metric: str = "AP") -> list[Rank]:
    """As `leaderboard`, of a board that has been read; group by group."""
    groups: dict[tuple[str, str], list[tuple[str, list[ExperimentRun]]]] = defaultdict(list)
    better: dict[str, bool] = {}
    chosen = board.chosen(names)
    board.check_metric(chosen, metric)
    for name in chosen:
        evaluated, finished = board.evaluated(name), board.finished(name)
        if evaluated is None:
            continue
        for protocol in evaluated.settings.protocols:
            full = evaluated.name(metric, protocol.name)
            better[full] = evaluated.is_higher_better(protocol.name, metric)
            of_labels: dict[str, list[ExperimentRun]] = defaultdict(list)
            for run in finished:
                if full in run.metrics:
                    of_labels[run.data.get(LABELS, "")].append(run)
            for labels, runs in of_labels.items():
                groups[full, labels].append((name, runs))
    return [
        rank
        for (full, labels), entries in groups.items()
        for rank in _ranked(full, labels, entries, higher=better[full])
    ]


def _ranked(
    metric: str, labels: str, entries: list[tuple[str, list[ExperimentRun]]], *, higher: bool
) -> list[Rank]:
    values = {name: [run.metrics[metric] for run in runs] for name, runs in entries}
    means = {name: statistics.fmean(each) for name, each in values.items()}
    ordered = sorted(entries, key=lambda each: -means[each[0]] if higher else means[each[0]])
    return [
        Rank(
            metric=metric,
            labels=labels,
            place=place,
            experiment=name,
            mean=means[name],
            spread=statistics.stdev(values[name]) if len(runs) > 1 else None,
            seeds=tuple(run.seed for run in runs),
        )
        for place, (name, runs) in enumerate(ordered, start=1)
    ]


def _row(board: Board, standing: Standing, metric: str) -> Row:
    run, evaluated = standing.run, board.evaluated(standing.experiment)
    name = evaluated.name(metric) if evaluated else None
    common = {"state": standing.state, "problem": standing.problem, "metric": name}
    if run is None:
        return Row(standing.experiment, standing.seed, **common)  # type: ignore[arg-type]
    step = max_steps = None
    if not run.has_ended:
        step = _step(board, run)
        max_steps = run.max_steps
    return Row(
        standing.experiment,
        standing.seed,
        **common,  # type: ignore[arg-type]
        step=step,
        max_steps=max_steps,
        value=run.metrics.get(name or ""),
        low=run.metrics.get(f"{name}_low"),
        high=run.metrics.get(f"{name}_high"),
        seconds=_seconds(run),
        launched=moment(run.started_ms),
        ended=moment(run.ended_ms) if run.ended_ms else None,
        run_id=run.run_id,
        results=str(run.results),
    )


def _step(board: Board, run: ExperimentRun) -> int | None:
    registry = board.registry(run.experiment)
    if registry is None or _LOSS not in run.metrics:
        return None
    return max((each.step for each in registry.history(run.run_id, _LOSS)), default=None)


def _seconds(run: ExperimentRun) -> float | None:
    """Time of the last attempt: its session is named after the time at which it began."""
    try:
        began = datetime.strptime(run.tags.get(SESSION, ""), _SESSION).replace(tzinfo=UTC)
    except ValueError:
        return None
    ended_s = time.time() if run.ended_ms is None else run.ended_ms / 1000
    return max(round(ended_s - began.timestamp(), 1), 0.0)


def moment(milliseconds: int) -> str:
    """A time of MLflow in UTC: `2026-03-01T12:30:00Z`."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

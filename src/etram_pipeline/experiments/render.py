"""Writes the folder of an experiment from what MLflow keeps; nothing in it is edited by hand."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.experiments.definition import Experiment
from etram_pipeline.experiments.overview import Rank, find_ranks
from etram_pipeline.experiments.project import FOLDER
from etram_pipeline.experiments.record import Facts, OfRun, write_ranking, write_record
from etram_pipeline.experiments.registry import ExperimentRun
from etram_pipeline.experiments.results import (
    RunResults,
    load_results,
    seconds_of_run,
    training_curves,
)
from etram_pipeline.experiments.standing import Board, differing_settings
from etram_pipeline.experiments.verdict import Verdict, judge_matches

logger = logging.getLogger(__name__)

_FORMAT = 1
"""Version of the written files: a new version writes all folders again."""

_PAGE, _DATA, _RANKING = "experiment.md", "results.json", "README.md"
_CURVES = "figures/training.png"


def render(board: Board) -> list[Path]:
    """Write the folders of all experiments that have runs and have changed.

    Returns:
        The pages that were written.
    """
    written = []
    for name in board.experiments:
        try:
            path = _render(board, name)
        except (StoreError, OSError) as error:
            logger.warning("the page of %s cannot be written: %s", name, error)
        else:
            written += [path] if path else []
    return written + _render_rankings(board)


def _render(board: Board, name: str) -> Path | None:
    experiment = board.experiments[name]
    runs = [each.run for each in board.standings if each.experiment == name and each.run]
    if not runs:
        return None
    folder = board.project.folder(name, experiment.env)
    made_from = _made_from(board, name, runs)
    if _is_up_to_date(folder, made_from):
        return None
    facts, verdict = _facts(board, name, experiment, folder)
    _draw(folder / _CURVES, facts.curves, name)
    content = {
        "made_from": made_from,
        "experiment": name,
        **experiment.model_dump(mode="json"),
        "verdict": None
        if verdict is None
        else {
            "outcome": verdict.outcome,
            "reason": verdict.reason,
            "difference": verdict.difference and verdict.difference.model_dump(mode="json"),
        },
        "runs": [asdict(each) for each in facts.runs],
    }
    _write(folder / _PAGE, write_record(facts))
    _write(folder / _DATA, json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n")
    return folder / _PAGE


def _made_from(board: Board, name: str, runs: Sequence[ExperimentRun]) -> str:
    """Fingerprint of everything that a folder is made from."""
    experiment = board.experiments[name]
    other = None if experiment.success is None else experiment.success.better_than
    standings = [each for each in board.standings if each.experiment in {name, other}]
    return fingerprint(
        [
            _FORMAT,
            [board.experiments[each] for each in (name, other) if each in board.experiments],
            [
                [each.experiment, each.seed, each.state, each.problem, *_state(each.run)]
                for each in standings
            ],
            differing_settings(board, name),
            len(runs),
        ]
    )


def _state(run: ExperimentRun | None) -> list[object]:
    return [] if run is None else [run.run_id, run.ended_ms, len(run.metrics)]


def _is_up_to_date(folder: Path, made_from: str) -> bool:
    try:
        content = json.loads((folder / _DATA).read_text())
    except (OSError, ValueError):
        return False
    return (folder / _PAGE).is_file() and content.get("made_from") == made_from


def _facts(
    board: Board, name: str, experiment: Experiment, folder: Path
) -> tuple[Facts, Verdict | None]:
    finished = board.finished(name)
    results = _results(board, name, finished)
    success = experiment.success
    verdict = None
    if success is not None:
        verdict = judge_matches(
            success,
            _matches(board, success.better_than, success.protocol, None),
            _matches(board, name, success.protocol, results),
        )
    standings = [each for each in board.standings if each.experiment == name]
    facts = Facts(
        name=name,
        experiment=experiment,
        verdict=verdict,
        runs=[_of_run(board, each.seed, each.state, each.problem, each.run) for each in standings],
        results={run.seed: found for run in finished if (found := results[run.run_id].metrics)},
        differing=differing_settings(board, name),
        curves=_curves(board, name),
        folder=folder,
    )
    return facts, verdict


def _results(board: Board, name: str, runs: Sequence[ExperimentRun]) -> dict[str, RunResults]:
    registry = board.registry(name)
    return {} if registry is None else {run.run_id: load_results(registry, run) for run in runs}


def _matches(
    board: Board, name: str, protocol: str | None, known: Mapping[str, RunResults] | None
) -> list[Any]:
    """Matches of the finished seeds of an experiment under a protocol."""
    evaluated = board.evaluated(name)
    if evaluated is None:
        return []
    found = known if known is not None else _results(board, name, board.finished(name))
    wanted = protocol or evaluated.protocol
    return [each.matches[wanted] for each in found.values() if wanted in each.matches]


def _of_run(
    board: Board, seed: int | None, state: str, problem: str, run: ExperimentRun | None
) -> OfRun:
    if run is None:
        return OfRun(seed=seed, state=state, problem=problem)
    registry = board.registry(run.experiment)
    return OfRun(
        seed=seed,
        state=state,
        problem=problem,
        run_id=run.run_id,
        results=str(run.results),
        seconds=None if registry is None else seconds_of_run(registry, run),
        metrics=dict(run.metrics),
        tags=dict(run.tags),
        data=dict(run.data),
        steps=run.max_steps,
    )


def _curves(board: Board, name: str) -> dict[str, dict[int, list[tuple[int, float]]]]:
    """Curves of the trainings by metric and seed."""
    registry = board.registry(name)
    found: dict[str, dict[int, list[tuple[int, float]]]] = {}
    for run in board.finished(name):
        if registry is not None:
            for metric, curve in training_curves(registry, run).items():
                found.setdefault(metric, {})[run.seed] = curve
    return found


def _draw(path: Path, curves: Mapping[str, Any], name: str) -> None:
    if not curves:
        path.unlink(missing_ok=True)
        return
    from etram_pipeline.experiments.training_figure import draw_trainings

    with written_whole(path) as partial:
        draw_trainings(curves, name).savefig(
            partial, format="png", dpi=150, metadata={"Software": None}
        )


def _render_rankings(board: Board) -> list[Path]:
    """One page for each data folder, with its experiments ranked."""
    folders: dict[Path, list[str]] = {}
    for name, experiment in board.experiments.items():
        folders.setdefault(board.project.data(experiment.env) / FOLDER, []).append(name)
    written = []
    for folder, names in folders.items():
        launched = {each.experiment for each in board.standings if each.run}
        if not launched & set(names):
            continue
        ranks: list[Rank] = find_ranks(board, names)
        standings = [each for each in board.standings if each.experiment in names]
        text = write_ranking({name: board.experiments[name] for name in names}, ranks, standings)
        try:
            if _write(folder / _RANKING, text):
                written.append(folder / _RANKING)
        except OSError as error:
            logger.warning("the ranking cannot be written: %s", error)
    return written


def _write(path: Path, text: str) -> bool:
    """Write a file if its content has changed."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return True

"""The report of a search: a table of its trials, figures, and a page in Markdown."""

import csv
import io
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from matplotlib.figure import Figure

from etram_pipeline.core.counts import counted, duration
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.mappings import flatten
from etram_pipeline.experiments.markdown import markdown_table
from etram_pipeline.experiments.trials.figures import draw_front, draw_importance, draw_scores
from etram_pipeline.experiments.trials.plan import Search
from etram_pipeline.experiments.trials.rerun import FreshRun, best_name
from etram_pipeline.experiments.trials.sampling import importances
from etram_pipeline.experiments.trials.trial import Trial, best_trial, front
from etram_pipeline.yaml_files import ConfigurationError

PAGE = "search.md"

_TABLE = "trials.csv"
_SCORES, _IMPORTANCE, _FRONT = "history.png", "importance.png", "front.png"
_FEW = 10
"""Trials below which the importance of parameters is mostly chance."""

_COST = ("parameters", "ms per window", "middle half")

_STATES = {
    "finished": "finished",
    "pruned": "stopped early",
    "failed": "failed",
    "slow": "too slow",
    "refused": "not possible",
    "open": "running or interrupted",
}


def write_report(search: Search, trials: Sequence[Trial], fresh: Sequence[FreshRun]) -> Path:
    """Write the report into the folder of the search.

    Args:
        search: The search.
        trials: All trials.
        fresh: Runs of the best values on seeds that the search did not use.

    Returns:
        The page.
    """
    folder = search.folder
    header, *rows = _rows(search, trials)
    _write(folder / _TABLE, _csv([header, *rows]))
    figures = [_drawn(folder / _SCORES, draw_scores(trials, search.monitor))]
    about_importance = _importance(search, trials, folder / _IMPORTANCE)
    best = best_trial(trials, search.monitor)
    parts = [
        f"# Search of {search.name}",
        search.experiment.hypothesis,
        _counts(search, trials),
        *(_best(search, best) if best else ["No trial has finished."]),
        *(_fresh(search, best, trials, fresh) if best else []),
        *_front(search, trials, folder / _FRONT),
        "## Importance",
        about_importance,
        "## Trials",
        *(f"![{path.stem}]({path.name})" for path in figures if path),
        markdown_table(header, rows),
    ]
    _write(folder / PAGE, "\n\n".join(parts) + "\n")
    return folder / PAGE


def _counts(search: Search, trials: Sequence[Trial]) -> str:
    counts = [
        f"{number} {text}"
        for state, text in _STATES.items()
        if (number := sum(trial.state == state for trial in trials))
    ]
    own = "".join(
        f" Trial {trial.number} has the experiment's own values: {score:.4f}."
        for trial in trials
        if trial.params == search.own and (score := trial.best(search.monitor)) is not None
    )
    end = "highest" if search.monitor.mode == "max" else "lowest"
    return (
        f"{counted(len(trials), 'trial')}: {', '.join(counts)}. The score of a trial is the {end} "
        f"`{search.monitor.name}` of its training, with seed {search.experiment.seeds[0]}. No "
        f"trial reads the test recordings.{own}"
    )


def _best(search: Search, best: Trial) -> list[str]:
    values = flatten(dict(best.params))
    rows = [[f"`{key}`", f"`{json.dumps(value)}`"] for key, value in values.items()]
    command = shlex.join(search.command(best))
    return [
        "## Best trial",
        f"Trial {best.number}, with {best.best(search.monitor):.4f}:",
        markdown_table(["parameter", "value"], rows),
        f"```bash\n{command}\n```",
    ]


def _fresh(
    search: Search, best: Trial, trials: Sequence[Trial], fresh: Sequence[FreshRun]
) -> list[str]:
    found = best.best(search.monitor) or 0.0
    rows = [
        [str(run.seed), run.status, "" if run.score is None else f"{run.score:.4f}"]
        for run in fresh
    ]
    scores = [run.score for run in fresh if run.score is not None and run.status == "FINISHED"]
    text = (
        f"The best of {counted(len(trials), 'trial')} is optimistic: it was chosen for its score, "
        "part of which is chance. Only seeds that the search did not use show how good its values "
        "are."
    )
    compared = f"No run on a fresh seed has finished; the trial itself has {found:.4f}."
    if scores:
        compared = (
            f"Best trial: **{found:.4f}**. Mean of {counted(len(scores), 'fresh seed')}: "
            f"**{mean(scores):.4f}** (from {min(scores):.4f} to {max(scores):.4f})."
        )
    after = (
        f"`kedro experiments compare {search.name} {best_name(search.name)}` compares both on the "
        "test recordings."
    )
    table = markdown_table(["seed", "status", "best score"], rows)
    return ["## On fresh seeds", text, compared, *([table] if rows else []), after]


def _front(search: Search, trials: Sequence[Trial], path: Path) -> list[str]:
    """The score that each time per window allows; nothing if no time was measured."""
    limit = search.experiment.limit
    path.unlink(missing_ok=True)
    if not _drawn(path, draw_front(trials, search.monitor, limit)):
        return []
    best = front(trials, search.monitor)
    keys = _keys(best)
    rows = [
        [
            str(trial.number),
            *_cost(trial),
            f"{trial.best(search.monitor):.4f}",
            *_values(trial, keys),
        ]
        for trial in best
    ]
    slow = sum(trial.state == "slow" for trial in trials)
    above = f"; above it and not trained: {counted(slow, 'trial')}" if slow else ""
    bound = f" The limit is {limit.ms_per_window:g} ms{above}." if limit else ""
    return [
        "## Score against time",
        f"![front]({path.name})",
        "No other trial is both as fast and better than one of these. The time per window is the "
        "median of the processor time on one thread of the machine that ran the trial, measured "
        "with random weights before the training, with that of the middle half of the windows. "
        f"The scores are those of one seed.{bound}",
        markdown_table(["trial", *_COST, "score", *keys], rows),
    ]


def _importance(search: Search, trials: Sequence[Trial], path: Path) -> str:
    path.unlink(missing_ok=True)
    finished = sum(trial.state == "finished" for trial in trials)
    try:
        shares = importances(search.experiment.search, trials, search.monitor)
    except ConfigurationError:
        return "The importance of parameters needs Optuna: `pip install -e '.[search]'`."
    if not _drawn(path, draw_importance(shares, finished)):
        return "The importance of parameters needs two finished trials with different scores."
    few = f" With {counted(finished, 'trial')}, it is mostly chance." if finished < _FEW else ""
    return (
        f"![importance]({path.name})\n\nShare of each parameter in the variance of the score, by "
        f"functional ANOVA of the finished trials.{few}"
    )


def _drawn(path: Path, figure: Figure | None) -> Path | None:
    if figure is None:
        return None
    with written_whole(path) as partial:
        figure.savefig(partial, dpi=150, format="png")
    return path


def _rows(search: Search, trials: Sequence[Trial]) -> list[list[str]]:
    keys = _keys(trials)
    rows = [["trial", "state", "score", "time", "run", *_COST, *keys, "reason"]]
    for trial in trials:
        score, seconds = trial.best(search.monitor), trial.seconds
        rows.append(
            [
                str(trial.number),
                _STATES[trial.state],
                "" if score is None else f"{score:.6g}",
                "" if seconds is None else duration(seconds),
                trial.run_id,
                *_cost(trial),
                *_values(trial, keys),
                trial.reason,
            ]
        )
    return rows


def _cost(trial: Trial) -> list[str]:
    cost = trial.cost
    if cost is None:
        return [""] * len(_COST)
    low, high = cost.quartiles_ms
    return [str(cost.parameters), f"{cost.ms_per_window:.1f}", f"{low:.1f} to {high:.1f}"]


def _keys(trials: Sequence[Trial]) -> list[str]:
    """Names of all values that the trials have, those inside of mappings too."""
    return list(dict.fromkeys(key for trial in trials for key in flatten(dict(trial.params))))


def _values(trial: Trial, keys: Sequence[str]) -> list[str]:
    values = flatten(dict(trial.params))
    return [json.dumps(values[key]) if key in values else "" for key in keys]


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")

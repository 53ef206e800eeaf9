"""Texts about experiments in Markdown: one page for each, and the ranking of all."""

import os
import shlex
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from etram_pipeline.core.counts import counted, duration
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.experiments.command import preparation, run_command
from etram_pipeline.experiments.definition import Experiment
from etram_pipeline.experiments.markdown import markdown_table
from etram_pipeline.experiments.overview import Rank
from etram_pipeline.experiments.standing import ABSENT, Standing
from etram_pipeline.experiments.verdict import Verdict
from etram_pipeline.reports.wording import number_text

_NOTE = "Written by `kedro experiments status` from MLflow; changes by hand are lost."
_LINKS = {
    "report": "08_reporting/report.html",
    "metrics": "08_reporting/metrics.json",
    "checkpoint": "06_models/detector.ckpt",
    "detections": "07_model_output/detections",
}

_ORIGIN = {
    "commit": "mlflow.source.git.commit",
    "Python": "environment.python",
    "PyTorch": "environment.torch",
    "processor": "environment.cpu",
    "graphics cards": "environment.gpu",
}
"""Tags that tell where results come from."""


@dataclass(frozen=True)
class OfRun:
    """What MLflow keeps about one run.

    Attributes:
        seed: Its seed.
        state: One of the states of a run.
        problem: What is wrong, in one line.
        run_id: Its MLflow run; empty if it was never launched.
        results: Folder of its detector, detections and report.
        seconds: Time that its nodes took; None if unknown.
        steps: Training steps; None if unknown.
        metrics: Metrics by name in MLflow.
        tags: Tags by name.
        data: Fingerprint of each dataset that it read.
    """

    seed: int | None
    state: str
    problem: str = ""
    run_id: str = ""
    results: str = ""
    seconds: float | None = None
    steps: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """Everything that the page of an experiment shows.

    Attributes:
        name: Its name.
        experiment: Its file.
        verdict: Verdict on its hypothesis; None if its file has no `success`.
        runs: Its runs, by seed.
        results: Metrics of its finished seeds by protocol.
        differing: Key, value in the other experiment and value here of settings that differ.
        curves: Curves of the trainings by metric and seed.
        folder: Folder of the page.
    """

    name: str
    experiment: Experiment
    verdict: Verdict | None
    runs: Sequence[OfRun]
    results: Mapping[int, Mapping[str, Metrics]]
    differing: Sequence[tuple[str, str, str]]
    curves: Mapping[str, Mapping[int, Any]]
    folder: Path


def write_record(facts: Facts) -> str:
    """The page of an experiment."""
    experiment = facts.experiment
    lines = [f"# {facts.name}", "", f"<!-- {_NOTE} -->", "", f"**{experiment.hypothesis}**", ""]
    texts = {"Why": experiment.why, "Published": experiment.published}
    for title, text in texts.items():
        lines += [f"*{title}:* {' '.join(text.split())}", ""] if text else []
    if facts.verdict:
        lines += [f"**Verdict: {facts.verdict.outcome}.** {facts.verdict.reason}{_open(facts)}", ""]
    for part in (_results, _figures, _runs, _settings, _commands, _origin):
        lines += list(part(facts))
    return "\n".join(lines).rstrip() + "\n"


def _open(facts: Facts) -> str:
    """The seeds that may still change the verdict."""
    seeds = [str(each.seed) for each in facts.runs if each.state != "finished"]
    words = "Seed {} has not finished." if len(seeds) == 1 else "Seeds {} have not finished."
    return f" {words.format(', '.join(seeds))}" if seeds else ""


def _results(facts: Facts) -> Iterator[str]:
    if not facts.results:
        yield from ("## Results", "", "No run has finished yet.", "")
        return
    yield from ("## Results", "")
    for name, example in next(iter(facts.results.values())).items():
        shown = [*example.protocol.shown("protocols"), *example.protocol.shown("sizes")]
        values = [value.name for value in shown]
        rows = {
            seed: [metrics[name].overall.get(each, NO_GROUND_TRUTH) for each in values]
            for seed, metrics in facts.results.items()
            if name in metrics
        }
        yield (
            f"Under `{name}`, on {counted(example.num_recordings, 'recording')} of the split "
            f"`{example.split}` with {counted(example.num_labels, 'label')}:"
        )
        yield ""
        cells = {
            seed: [
                _cell(value) + _interval(facts.results[seed][name], each)
                for each, value in zip(values, row, strict=True)
            ]
            for seed, row in rows.items()
        }
        means = map(_mean, zip(*rows.values(), strict=True))
        yield from _table(
            ["seed", *values], [*([k, *v] for k, v in cells.items()), ["mean", *means]]
        )
    yield from ("In brackets: 95 % intervals over recordings. After ±: deviation over seeds.", "")


def _mean(values: Sequence[float]) -> str:
    known = [value for value in values if value != NO_GROUND_TRUTH]
    if not known:
        return _cell(NO_GROUND_TRUTH)
    spread = f" ± {statistics.stdev(known):.3f}" if len(known) > 1 else ""
    return f"{statistics.fmean(known):.3f}{spread}"


def _interval(metrics: Metrics, value: str) -> str:
    found = metrics.interval_of(value)
    return f" ({found.low:.3f} to {found.high:.3f})" if found else ""


def _figures(facts: Facts) -> Iterator[str]:
    if facts.curves:
        yield from ("![Training curves of all seeds](figures/training.png)", "")


def _runs(facts: Facts) -> Iterator[str]:
    yield from ("## Runs", "")
    seconds = [each.seconds for each in facts.runs if each.seconds is not None]
    yield from _table(
        ["seed", "state", "time", "steps", "files"],
        [
            [
                each.seed,
                each.state,
                "" if each.seconds is None else duration(each.seconds),
                "" if each.steps is None else f"{each.steps:,}",
                _links(facts.folder, each),
            ]
            for each in facts.runs
        ],
    )
    if seconds:
        yield from (f"All runs together took {duration(sum(seconds))}.", "")
    for each in facts.runs:
        if each.problem:
            yield from (f"- Seed {each.seed}: {each.problem}", "")


def _links(folder: Path, run: OfRun) -> str:
    found = {name: Path(run.results) / path for name, path in _LINKS.items() if run.results}
    return ", ".join(
        f"[{name}]({Path(os.path.relpath(path, folder)).as_posix()})"
        for name, path in found.items()
        if path.exists()
    )


def _settings(facts: Facts) -> Iterator[str]:
    success = facts.experiment.success
    other = success.better_than if success else "environment"
    yield from (f"## Settings that differ from those of {other if success else 'the ' + other}", "")
    if not facts.differing:
        yield from ("None.", "")
        return
    rows = [[key, *values] for key, *values in facts.differing]
    rows = [[text if text == ABSENT else f"`{text}`" for text in row] for row in rows]
    yield from _table(["setting", other, facts.name], rows)


def _commands(facts: Facts) -> Iterator[str]:
    yield from ("## Commands", "", "```bash", shlex.join(preparation(facts.experiment)))
    yield from dict.fromkeys(_command(facts, each) for each in facts.runs if each.run_id)
    yield from ("```", "")


def _command(facts: Facts, run: OfRun) -> str:
    """The command that ran, or the one that will run."""
    planned = run_command(facts.experiment, run.seed or 0, run.results)
    return run.tags.get("kedro.command") or shlex.join(planned)


def _origin(facts: Facts) -> Iterator[str]:
    yield from ("## Code, data and machine", "")
    for title, tag in _ORIGIN.items():
        found = _distinct(each.tags.get(tag) for each in facts.runs)
        if title == "commit" and any(each.tags.get("git.dirty") == "true" for each in facts.runs):
            found = [f"{each}, with changes that were not committed" for each in found]
        if found:
            yield f"- {title}: {'; '.join(found)}"
    for name in sorted({name for each in facts.runs for name in each.data} - {"detections"}):
        yield f"- data `{name}`: {'; '.join(_distinct(e.data.get(name) for e in facts.runs))}"
    for each in facts.runs:
        if each.run_id:
            yield f"- MLflow run of seed {each.seed}: {each.run_id}"


def _distinct(texts: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text))


def write_ranking(
    experiments: Mapping[str, Experiment], ranks: Sequence[Rank], standings: Sequence[Standing]
) -> str:
    """The page that ranks all experiments of a folder."""
    lines = ["# Experiments", "", f"<!-- {_NOTE} -->", ""]
    for (metric, labels), group in groupby(ranks, key=lambda each: (each.metric, each.labels)):
        lines += [f"## {metric}", "", *([f"Labels: {labels}", ""] if labels else [])]
        lines += _table(
            ["", "experiment", "mean", "± over seeds", "seeds", "hypothesis"],
            [
                [
                    rank.place,
                    f"[{rank.experiment}]({rank.experiment}/experiment.md)",
                    rank.mean,
                    "" if rank.spread is None else f"{rank.spread:.3f}",
                    ", ".join(map(str, rank.seeds)),
                    experiments[rank.experiment].hypothesis,
                ]
                for rank in group
            ],
        )
    unfinished = [each for each in standings if not each.is_finished]
    if unfinished:
        lines += ["## Not finished", ""]
        lines += _table(
            ["experiment", "seed", "state"],
            [[each.experiment, each.seed, each.state] for each in unfinished],
        )
    return "\n".join(lines).rstrip() + "\n"


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    return [markdown_table(header, [[*map(_cell, row)] for row in rows]), ""]


def _cell(value: object) -> str:
    if value == NO_GROUND_TRUTH:
        return "no labels"
    return number_text(value) if isinstance(value, float) else str(value)

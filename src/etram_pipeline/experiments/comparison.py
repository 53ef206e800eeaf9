"""Compares experiments with a baseline, and writes what was found as a page and files."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.evaluation.result import LEVEL, ROUNDS
from etram_pipeline.experiments.contenders import Contender, find_contenders
from etram_pipeline.experiments.definition import Experiment
from etram_pipeline.experiments.project import FOLDER, Project
from etram_pipeline.experiments.results import RunResults, load_results
from etram_pipeline.yaml_files import ConfigurationError

if TYPE_CHECKING:
    from etram_pipeline.evaluation.matches import Matches
    from etram_pipeline.evaluation.paired import SeedDraws
    from etram_pipeline.reports.comparison import Comparison, Side

_COMPARISONS = "comparisons"
_LONGEST_FOLDER = 120  # bytes
_EVALUATE_AGAIN = "evaluate it again with `kedro run --pipelines evaluate`"


@dataclass(frozen=True)
class WrittenComparison:
    """A comparison and its files.

    Attributes:
        comparison: What was found.
        page: The page; the other files are beside it.
    """

    comparison: "Comparison"
    page: Path


@dataclass(frozen=True)
class _Evaluated:
    """A contender with the results of its runs, in the order of the runs."""

    contender: Contender
    results: tuple[RunResults, ...]

    @property
    def protocols(self) -> list[str]:
        """Protocols under which all runs can be compared, in the order of the first run."""
        return [
            name
            for name in self.results[0].metrics
            if all(name in each.metrics and name in each.matches for each in self.results)
        ]

    def matches(self, protocol: str) -> "list[Matches]":
        """The matches of all runs."""
        return [each.matches[protocol] for each in self.results]


def compare(
    baseline: str,
    *others: str,
    protocol: str | None = None,
    out: str | Path | None = None,
    rounds: int = ROUNDS,
    env: str | None = None,
) -> WrittenComparison:
    """Compare experiments or single runs with a baseline, and write a page about the differences.

    Args:
        baseline: Name of an experiment; or of an MLflow run, its id or the first characters of it.
        others: What is compared with it; each as the baseline.
        protocol: Protocol of the values; by default that of the criteria of success, or else the
            first one under which all runs were evaluated.
        out: Folder to write to, replaced as a whole; by default a folder named after the sides in
            `<data>/09_experiments/comparisons`.
        rounds: Draws of the recordings behind each interval.
        env: Environment in whose MLflow store single runs are looked up, and in whose data folder
            the page is written; by default that of the first experiment.

    Raises:
        ConfigurationError: If a name means nothing or several runs, or a side has no finished run.
        ProtocolError: If the runs were not evaluated by the same protocol, or on the same
            recordings, labels and classes.
        MlflowStoreError: If the MLflow store cannot be used.
    """
    if not others:
        raise ConfigurationError(f"{baseline} is compared with nothing: name another experiment")
    project = Project.find()
    contenders = find_contenders(project, [baseline, *others], env)
    sides = [_evaluated(contender) for contender in contenders]
    chosen = _choose_protocol(sides, protocol)
    _check_comparable(sides, chosen)
    folder = _folder(project, contenders, out, env)
    from etram_pipeline.experiments.comparison_files import check_folder, write_comparison

    check_folder(folder)
    comparison = _compare(sides, chosen, rounds, folder)
    options = {"protocol": protocol, "out": out, "rounds": rounds, "env": env}
    command = _command(sides, options)
    return WrittenComparison(comparison, write_comparison(comparison, folder, command))


def _evaluated(contender: Contender) -> _Evaluated:
    found = [(run, load_results(contender.registry, run)) for run in contender.runs]
    kept = [(run, results) for run, results in found if results.matches]
    left_out = [
        f"{_run_text(contender, place)} was evaluated without keeping its matches"
        if results.metrics
        else f"{_run_text(contender, place)} was not evaluated"
        for place, (_, results) in enumerate(found)
        if not results.matches
    ]
    if not kept:
        raise ConfigurationError(
            f"nothing of {contender.name!r} can be compared: {'; '.join(left_out)}; "
            f"{_EVALUATE_AGAIN}"
        )
    runs, results = zip(*kept, strict=True)
    changed = replace(contender, runs=runs, left_out=(*contender.left_out, *left_out))
    return _Evaluated(changed, results)


def _run_text(contender: Contender, place: int) -> str:
    run = contender.runs[place]
    return f"seed {run.seed}" if contender.experiment else f"run {run.run_id[:8]}"


def _choose_protocol(sides: Sequence[_Evaluated], asked: str | None) -> str:
    common = [name for name in sides[0].protocols if all(name in side.protocols for side in sides)]
    wanted = [asked] if asked else [*_criteria(sides), *common]
    chosen = next((name for name in wanted if name in common), None)
    if chosen is None:
        each = "; ".join(
            f"{side.contender.name}: {', '.join(side.protocols) or 'none'}" for side in sides
        )
        what = f"by the protocol {asked!r}" if asked else "by the same protocol"
        raise ProtocolError(
            f"the runs were not all evaluated {what} ({each}): add it to evaluate.protocols, and "
            "run `kedro run --pipelines evaluate` for those that lack it"
        )
    return chosen


def _criteria(sides: Sequence[_Evaluated]) -> list[str]:
    """Protocols of criteria that are about this baseline."""
    successes = [side.contender.experiment and side.contender.experiment.success for side in sides]
    name = sides[0].contender.name
    return [
        success.protocol
        for success in successes
        if success and success.protocol and success.better_than == name
    ]


def _check_comparable(sides: Sequence[_Evaluated], protocol: str) -> None:
    from etram_pipeline.evaluation.paired import check_comparable

    first = sides[0].matches(protocol)[0]
    for side in sides:
        for place, matches in enumerate(side.matches(protocol)):
            try:
                check_comparable([first, matches])
            except ProtocolError as error:
                baseline = sides[0].contender
                raise ProtocolError(
                    f"{baseline.name} ({_run_text(baseline, 0)}) and {side.contender.name} "
                    f"({_run_text(side.contender, place)}): {error}"
                ) from error


def _compare(sides: Sequence[_Evaluated], protocol: str, rounds: int, folder: Path) -> "Comparison":
    from etram_pipeline.evaluation.paired import compare_draws, draw_seeds
    from etram_pipeline.experiments.verdict import judge_differences
    from etram_pipeline.reports.comparison import Comparison

    baseline, *others = (draw_seeds(side.matches(protocol), rounds) for side in sides)
    described = [
        _side(side, draws, folder) for side, draws in zip(sides, (baseline, *others), strict=True)
    ]
    metrics = sides[0].results[0].metrics[protocol]
    differences = tuple(compare_draws(baseline, other, LEVEL) for other in others)
    headline = metrics.protocol.monitored.name
    if not all(headline in found for found in differences):
        raise ProtocolError(
            f"{protocol}: {headline} cannot be compared: the recordings have no labels that count, "
            "or the metric cannot be found for other draws of the recordings; choose another "
            "--protocol"
        )
    # The intervals that decide hold for all comparisons at once.
    together = 1 - (1 - LEVEL) / len(others)
    name = described[0].name
    return Comparison(
        protocol=metrics.protocol,
        split=metrics.split,
        num_recordings=metrics.num_recordings,
        num_labels=metrics.num_labels,
        unlabelled=tuple(name for name, of in metrics.per_class.items() if not of.num_labels),
        rounds=rounds,
        baseline=described[0],
        others=tuple(described[1:]),
        differences=differences,
        judgements=tuple(
            judge_differences(
                _with_criterion(side, protocol),
                name,
                metrics.protocol,
                compare_draws(baseline, other, together),
            )
            for side, other in zip(sides[1:], others, strict=True)
        ),
    )


def _with_criterion(side: _Evaluated, protocol: str) -> Experiment | None:
    """The experiment of a side; its criterion is about its first protocol unless it names one."""
    experiment, first = side.contender.experiment, side.protocols[0]
    if not experiment or not experiment.success or experiment.success.protocol:
        return experiment
    if protocol == first:
        return experiment
    success = experiment.success.model_copy(update={"protocol": first})
    return experiment.model_copy(update={"success": success})


def _side(evaluated: _Evaluated, draws: "SeedDraws", folder: Path) -> "Side":
    from etram_pipeline.evaluation.paired import find_mean_intervals
    from etram_pipeline.experiments.compared_runs import describe_run, settings_of
    from etram_pipeline.reports.comparison import Side

    contender, protocol = evaluated.contender, draws.protocol.name
    of_runs = [settings_of(contender.registry, run) for run in contender.runs]
    shared = {
        name: value
        for name, value in of_runs[0].items()
        if all(each.get(name) == value for each in of_runs)
    }
    return Side(
        name=contender.name,
        hypothesis=contender.experiment.hypothesis if contender.experiment else "",
        size=contender.experiment.size if contender.experiment else "",
        runs=tuple(
            describe_run(contender.registry, run, results.metrics[protocol], folder)
            for run, results in zip(contender.runs, evaluated.results, strict=True)
        ),
        left_out=contender.left_out,
        intervals=find_mean_intervals(draws, LEVEL),
        settings=shared,
    )


def _folder(
    project: Project, contenders: Sequence[Contender], out: str | Path | None, env: str | None
) -> Path:
    if out is not None:
        return Path(out).expanduser().resolve()  # a link keeps leading there
    names = [re.sub(r"[^\w.-]+", "_", each.name) for each in contenders]
    name = f"{names[0]}-vs-{'-'.join(names[1:])}"
    if len(name.encode()) > _LONGEST_FOLDER:
        start = name.encode()[:_LONGEST_FOLDER].decode(errors="ignore")
        name = f"{start}-{fingerprint(names)[:8]}"
    return project.data(env or contenders[0].env) / FOLDER / _COMPARISONS / name


def _command(sides: Sequence[_Evaluated], options: Mapping[str, object]) -> str:
    """The command that makes the page again; a single run has its id, which no other run has."""
    names = [
        side.contender.name if side.contender.experiment else side.contender.runs[0].run_id
        for side in sides
    ]
    usual: dict[str, object] = {"rounds": ROUNDS}
    given = [
        text
        for name, value in options.items()
        if value != usual.get(name)
        for text in (f"--{name}", str(value))
    ]
    return shlex.join(["kedro", "experiments", "compare", *names, *given])

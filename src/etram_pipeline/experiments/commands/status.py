"""`kedro experiments status`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, get_args

import click

from etram_pipeline.core.counts import duration
from etram_pipeline.experiments.definition import Size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from etram_pipeline.experiments.overview import Rank, Row

_WIDE = 10_000
"""Columns of output that is not a terminal, so that a program reads whole lines."""


@click.command()
@click.argument("names", nargs=-1)
@click.option("--leaderboard", is_flag=True, help="Rank experiments by their mean over seeds.")
@click.option("--metric", default="AP", show_default=True, help="Metric to show, such as car/AP.")
@click.option("--size", type=click.Choice(get_args(Size)), multiple=True, help="Only this size.")
@click.option("--state", multiple=True, help="Only runs in this state, such as running.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def command(  # one argument per option
    *,
    names: tuple[str, ...],
    leaderboard: bool,
    metric: str,
    size: tuple[str, ...],
    state: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show where the runs of all experiments stand, or of those with these NAMES."""
    from etram_pipeline.experiments.overview import find_ranks, find_rows
    from etram_pipeline.experiments.project import Project
    from etram_pipeline.experiments.render import render
    from etram_pipeline.experiments.standing import STATES, Board

    for each in state:
        if each not in STATES:
            raise click.BadParameter(f"{each!r}: known: {', '.join(STATES)}", param_hint="--state")
    board = Board(Project.find())
    chosen = [
        name
        for name in board.chosen(names)
        if not size or (name in board.experiments and board.experiments[name].size in size)
    ]
    render(board)
    if not chosen:
        _show([], as_json=as_json)
    elif leaderboard:
        ranks = find_ranks(board, chosen, metric)
        _show(ranks, as_json=as_json, none="none of these experiments has a finished run")
    else:
        rows = find_rows(board, chosen, metric)
        rows = [each for each in rows if not state or each.state in state]
        idle = [] if names or state or as_json else _never_launched(rows)
        none = "no experiment was launched yet" if idle else "there are no such runs"
        _show([each for each in rows if each.experiment not in idle], as_json=as_json, none=none)
        if idle:
            click.echo(f"not launched: {', '.join(idle)}")


def _never_launched(rows: "Sequence[Row]") -> list[str]:
    """Experiments without any run, which would hide the others in a long table."""
    from etram_pipeline.experiments.standing import NOT_LAUNCHED

    launched = {each.experiment for each in rows if each.state != NOT_LAUNCHED}
    return list(dict.fromkeys(each.experiment for each in rows if each.experiment not in launched))


def _show(
    entries: "Sequence[Row] | Sequence[Rank]",
    *,
    as_json: bool,
    none: str = "there are no such runs",
) -> None:
    from rich.console import Console

    from etram_pipeline.experiments.overview import Rank

    if as_json:
        click.echo(json.dumps([asdict(each) for each in entries], indent=1, ensure_ascii=False))
        return
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _WIDE
    if not entries:
        console.print(none)
    elif isinstance(entries[0], Rank):
        _print_ranks(console, [each for each in entries if isinstance(each, Rank)])
    else:
        _print_rows(console, [each for each in entries if not isinstance(each, Rank)])


def _print_rows(console: "Console", rows: "Sequence[Row]") -> None:
    metrics = {each.metric for each in rows if each.metric}
    names = {name.split("/", 2)[2] for name in metrics}
    headings = (
        *("experiment", "seed", "state", *(names if len(names) == 1 else ["value"])),
        *("95 % interval", "metric", "time", "launched"),
    )
    console.print(_table(headings, [_cells(row, is_named=len(metrics) > 1) for row in rows]))
    for row in rows:
        if row.problem:
            seed = "" if row.seed is None else f", seed {row.seed}"
            console.print(f"{row.experiment}{seed}: {row.problem}", soft_wrap=True)


def _cells(row: "Row", *, is_named: bool) -> list[str]:
    return [
        row.experiment,
        "" if row.seed is None else str(row.seed),
        _state(row),
        "" if row.value is None else f"{row.value:.3f}",
        "" if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f}",
        row.metric or "" if is_named else "",
        "" if row.seconds is None else duration(row.seconds),
        (row.launched or "")[:16].replace("T", " "),
    ]


def _state(row: "Row") -> str:
    if row.step is None:
        return row.state
    return f"{row.state}, step {row.step:,}" + (f" of {row.max_steps:,}" if row.max_steps else "")


def _print_ranks(console: "Console", ranks: "Sequence[Rank]") -> None:
    for (metric, labels), group in groupby(ranks, key=lambda each: (each.metric, each.labels)):
        console.print(f"{metric}" + (f" (labels {labels})" if labels else ""))
        cells = [
            [
                str(rank.place),
                rank.experiment,
                f"{rank.mean:.3f}",
                "" if rank.spread is None else f"{rank.spread:.3f}",
                ", ".join(map(str, rank.seeds)),
            ]
            for rank in group
        ]
        console.print(_table(("", "experiment", "mean", "± over seeds", "seeds"), cells))


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
    """A table without its empty columns; long names of experiments are folded, never cut."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = [place for place in range(len(headings)) if any(row[place] for row in rows)]
    for place in shown:
        heading = headings[place]
        table.add_column(heading, overflow="fold", no_wrap=heading != "experiment")
    for row in rows:
        table.add_row(*(row[place] for place in shown))
    return table

"""`kedro experiments compare`."""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from etram_pipeline.reports.comparison import Comparison


@click.command()
@click.argument("baseline")
@click.argument("others", nargs=-1, required=True)
@click.option("--protocol", help="Protocol of the values; by default the first that all have.")
@click.option("--out", help="Folder of the page; by default in the data folder.")
@click.option(
    "--rounds",
    type=click.IntRange(min=100),
    default=1000,
    show_default=True,
    help="Draws of the recordings behind each interval.",
)
@click.option("--env", help="Environment of single runs; by default that of the experiments.")
@click.option("--json", "as_json", is_flag=True, help="Print everything that was found as JSON.")
def command(
    baseline: str,
    others: tuple[str, ...],
    *,
    as_json: bool,
    **options: Any,  # noqa: ANN401  # the options above, as `compare` declares them
) -> None:
    """Say whether OTHERS differ from BASELINE, with intervals, and write a page about it.

    Each is the name of an experiment, or the name or id of an MLflow run, such as an evaluation of
    detections from elsewhere; the first characters of an id are enough.
    """
    from etram_pipeline.experiments.comparison import compare

    written = compare(baseline, *others, **options)
    if as_json:
        click.echo(written.comparison.model_dump_json(indent=1))
        return
    show(written.comparison)
    click.echo(written.page)


def show(comparison: "Comparison") -> None:
    """Print the verdicts as a table."""
    from rich.console import Console
    from rich.table import Table

    from etram_pipeline.reports.comparison_wording import (
        interval_text,
        left_out_facts,
        runs_text,
        signed_text,
    )

    table = Table(title=f"against {comparison.baseline.name}, protocol {comparison.protocol.name}")
    for name in ("side", "value", "before", "after", "difference", "95 % interval", "verdict"):
        table.add_column(name, overflow="fold")
    judged = zip(comparison.others, comparison.differences, comparison.judgements, strict=True)
    for side, differences, judgement in judged:
        found = differences[judgement.metric]
        table.add_row(
            side.name,
            comparison.title(judgement.metric),
            f"{found.before:.3f}",
            f"{found.after:.3f}",
            signed_text(found.difference),
            interval_text(judgement.low, judgement.high),
            judgement.verdict,
        )
    console = Console()
    console.print(table)
    if len(comparison.others) > 1:
        click.echo("the intervals are so wide that all of them hold together in 95 of 100 cases")
    for side in comparison.others:
        click.echo(f"{side.name}: {runs_text(comparison.baseline, side)}")
    for fact in left_out_facts(comparison.sides):
        click.echo(f"left out: {fact}")

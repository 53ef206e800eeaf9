"""`kedro experiments search`."""

import click


@click.command()
@click.argument("name")
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    help="Trials in total; those of earlier calls count. Without it, all combinations are tried.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Trials at once."
)
@click.option("--on", default="here", show_default=True, help="`here` or `slurm`.")
@click.option(
    "--hours", type=click.FloatRange(min=0, min_open=True), help="No trial begins after this time."
)
@click.option(
    "--prune/--no-prune",
    default=True,
    show_default=True,
    help="Stop trials whose validation score is below the median of the others at the same step.",
)
@click.option(
    "--rerun/--no-rerun",
    default=True,
    show_default=True,
    help="Launch the best values on seeds that the search did not use.",
)
def command(name: str, on: str, **options: object) -> None:
    """Search for better parameters of the experiment NAME."""
    from etram_pipeline.experiments.trials.entry import SearchOptions, search

    page = search(name, SearchOptions.model_validate(options), on, tell=click.echo)
    click.echo(f"report: {page}")

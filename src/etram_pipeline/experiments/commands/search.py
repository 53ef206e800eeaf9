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
@click.option("--account", help="slurm: account that is charged.")
@click.option("--partition", help="slurm: partition.")
@click.option("--mail-user", help="slurm: address for mails.")
@click.option("--time", help="slurm: time limit of a worker, such as 08:00:00.")
@click.option("--memory", help="slurm: memory of a worker, such as 48G.")
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    help="No trial begins after this time; a job that is queued again counts it anew.",
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
    """Search for better parameters of the experiment NAME, or continue the search.

    The score of a trial is the best validation score of its training.
    """
    from etram_pipeline.experiments.trials.entry import SearchOptions, search

    own = {key: options.pop(key) for key in SearchOptions.model_fields}
    given = {key: value for key, value in options.items() if value is not None}
    page = search(name, SearchOptions.model_validate(own), on, given, tell=click.echo)
    click.echo(f"report: {page}")

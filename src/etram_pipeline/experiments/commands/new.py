"""`kedro experiments new`."""

import click


@click.command()
@click.argument("name")
@click.option("--like", help="Experiment or preset to start from.")
@click.option("--hypothesis", help="One sentence that the results can confirm or refute.")
def command(name: str, like: str | None, hypothesis: str | None) -> None:
    """Write conf/experiments/NAME.yml, to be filled in."""
    from etram_pipeline.experiments.template import new

    path = new(name, like, hypothesis)
    click.echo(f"{path}\nfill it in, then run: kedro experiments launch {name}")

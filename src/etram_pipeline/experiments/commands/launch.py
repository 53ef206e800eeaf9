"""`kedro experiments launch`."""

import click

from etram_pipeline.experiments.definition import SEEDS


def _seeds(_context: click.Context, _option: click.Parameter, text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        found = [int(each) for each in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"{text!r} is no list of whole numbers, such as 0,1,2") from None
    if min(found) < 0 or max(found) >= SEEDS:
        raise click.BadParameter(f"{text!r}: seeds are from 0 to {SEEDS - 1}")
    return found


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--seeds", callback=_seeds, help="Seeds, such as 0,1,2; default: as in the file.")
@click.option("--on", default="here", show_default=True, help="`here` or `slurm`.")
@click.option("--jobs", type=int, help="here: runs side by side; default: 1.")
@click.option("--account", help="slurm: account that is charged.")
@click.option("--partition", help="slurm: partition.")
@click.option("--mail-user", help="slurm: address for mails.")
@click.option("--time", help="slurm: time limit, such as 08:00:00.")
@click.option("--memory", help="slurm: memory, such as 48G.")
@click.option("--halve-batch/--whole-batch", default=None, help="slurm: see resources.yml.")
@click.option("--dry-run", is_flag=True, help="Print what would run, and do nothing.")
def command(names: tuple[str, ...], seeds: list[int] | None, on: str, **given: object) -> None:
    """Run experiments NAMES, or continue them; finished runs are skipped."""
    from etram_pipeline.experiments import launching

    is_dry = given.pop("dry_run")
    options: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    if is_dry:
        if commands := launching.preview(names, seeds, on, options, tell=_to_stderr):
            click.echo(commands)
        return
    runs = launching.launch(names, seeds, on, options, tell=click.echo)
    if any(run.status in {"FAILED", "KILLED"} for run in runs):
        raise click.exceptions.Exit(1)


def _to_stderr(line: str) -> None:
    click.echo(line, err=True)

"""`kedro experiments …`; each subcommand is one module, loaded when it is asked for."""

import pkgutil
from importlib import import_module
from typing import Any

import click
from typing_extensions import override

from etram_pipeline.core.component import unknown_name


class ExperimentsGroup(click.Group):
    """Commands in the modules of this package, each as `command`, with one-line errors."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(module.name for module in pkgutil.iter_modules(__path__))

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        names = self.list_commands(ctx)
        if cmd_name not in names:
            raise click.UsageError(unknown_name("command", cmd_name, names), ctx)
        command: click.Command = import_module(f"{__name__}.{cmd_name}").command
        return command

    @override
    def invoke(self, ctx: click.Context) -> Any:
        from etram_pipeline.core.errors import EtramError
        from etram_pipeline.session import explain

        try:
            return super().invoke(ctx)
        except click.ClickException:
            raise
        except (EtramError, OSError) as error:
            raise click.ClickException(explain(error)) from error


experiments = ExperimentsGroup(
    "experiments", help="Define, launch, follow, compare and search experiments."
)

"""Kedro hooks that make a run pleasant to read."""

import click
from kedro.framework.hooks import hook_impl
from kedro.io import DatasetError

from etram_pipeline.core.errors import EtramError


class ShortErrors:
    """Says in one line what the user can put right; the traceback goes to MLflow."""

    @hook_impl(trylast=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """Replace a traceback by its message where the message is meant for the user."""
        if isinstance(error, EtramError | DatasetError):
            raise click.ClickException(str(_cause(error))) from error


def _cause(error: BaseException) -> BaseException:
    """Our own error inside Kedro's wrapping, which would repeat it after three lines of preface."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, EtramError):
            return inner
        inner = inner.__cause__
    return error

"""`kedro run`, with errors and interruptions reported in one line, and `kedro experiments`.

Kedro takes the commands of the group `cli` before its own, and `python -m etram_pipeline` runs
`run` without a project folder.
"""

import atexit
import gc
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from kedro import runner as runners
from kedro.framework.cli import project
from kedro.framework.project import LOGGING
from kedro.runner import AbstractRunner
from kedro.utils import find_kedro_project, load_obj
from typing_extensions import override

from etram_pipeline import arguments
from etram_pipeline.core.component import unknown_name
from etram_pipeline.core.masking import mask_text, secrets_in
from etram_pipeline.experiments.commands import experiments
from etram_pipeline.yaml_files import ConfigurationError, read_yaml

logger = logging.getLogger(__name__)
to_file = logging.getLogger("etram_pipeline.ended")
"""Logs errors with tracebacks to the file only, as `conf/logging.yml` sets up."""

_RUNNERS = ("SequentialRunner", "ThreadRunner")
_SIGNALLED = {128 + number: number.name for number in (signal.SIGTERM, signal.SIGUSR1)}
"""Names of signals by exit code."""

_GO_ON = "run the same command again to continue; finished work is kept"


class _Masked(logging.Filter):
    """Masks passwords in messages and tracebacks, because others may read the log file."""

    def __init__(self) -> None:
        super().__init__()
        self.known: set[str] = set()

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask_text(record.getMessage(), self.known), ()
        if record.exc_info:
            text = logging.Formatter().formatException(record.exc_info)
            record.exc_text = mask_text(text, self.known)
        return True


_masked = _Masked()
to_file.addFilter(_masked)


class RunEndedError(click.ClickException):
    """A run failed or was interrupted; the exit code says why."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads the instance's


class RunCommand(click.Command):
    """Kedro's command with text parameters as text, a log in the project and one-line errors."""

    @override
    def make_context(self, *args: Any, **options: Any) -> click.Context:
        with _one_line_errors():
            context = super().make_context(*args, **options)
            _masked.known = secrets_in("", context.params["params"])
            _configure_logging(context.params["conf_source"])
            _replace_deprecated(context.params)
            _check_runner(context.params["runner"], context.params["runner_params"])
        return context

    @override
    def invoke(self, ctx: click.Context) -> Any:
        # Python collects garbage once more at exit, which takes as long as loading PyTorch.
        atexit.register(gc.freeze)
        with _one_line_errors():
            return super().invoke(ctx)


class _Params(click.Option):
    """`--params`, which may be given several times, or as a mapping in the file of `--config`."""

    @override
    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        if isinstance(value, dict):
            return value
        return arguments.parse(value if isinstance(value, str) else ",".join(value or ()))


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Reduce an error that ends a run to one line; the log file keeps the traceback."""
    try:
        yield
    except click.ClickException as error:
        # click adds two lines to usage errors, and Kedro adds misleading advice to its own errors.
        ended = RunEndedError(error.format_message(), error.exit_code)
        to_file.error("%s", ended.message, exc_info=error.__cause__)
        raise ended from error
    except (KeyboardInterrupt, SystemExit) as error:
        raise _interrupted(error) from error
    except Exception:
        to_file.exception("internal error")
        raise


def _interrupted(error: BaseException) -> BaseException:
    """The error to raise for Ctrl-C or a signal; other exits stay as they are."""
    if isinstance(error, SystemExit) and error.code in _SIGNALLED:
        name, code = f"ended by {_SIGNALLED[error.code]}", error.code
    elif isinstance(error, KeyboardInterrupt) or isinstance(error.__context__, KeyboardInterrupt):
        name, code = "interrupted", 128 + signal.SIGINT
    else:
        return error
    to_file.warning("%s", name, exc_info=error)
    return RunEndedError(f"{name}: {_GO_ON}", code)


def _configure_logging(conf_source: str | None) -> None:
    """Configure logging from the project's `logging.yml`; log files are in the project.

    Kedro looks for `logging.yml` in the working directory only.
    """
    root = find_kedro_project(Path.cwd()) or Path.cwd()
    path = Path(conf_source or root / "conf") / "logging.yml"
    if os.environ.get("KEDRO_LOGGING_CONFIG") or not path.is_file():
        return
    settings = read_yaml(path)
    try:
        lost = [_locate(each, root) for each in settings.get("handlers", {}).values()]
        LOGGING.configure(settings)
    except (ValueError, TypeError, AttributeError, OSError) as error:
        message = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
        raise ConfigurationError(f"{path}: {message}") from error
    # On a full disk, a traceback would follow each line.
    logging.raiseExceptions = False
    for file in filter(None, lost):
        logger.warning("cannot write %s: this run has no log file", file)


def _locate(handler: dict[str, Any], root: Path) -> Path | None:
    """Point a log handler at a file in the project; disable it if the file cannot be written.

    Returns:
        The file that cannot be written; None if there is none.
    """
    if "filename" not in handler:
        return None
    path = root / Path(handler["filename"]).expanduser()
    handler["filename"] = str(path)
    if not path.is_dir() and os.access(path if path.exists() else path.parent, os.W_OK):
        return None
    handler.clear()
    handler["class"] = "logging.NullHandler"
    return path


def _replace_deprecated(params: dict[str, Any]) -> None:
    """Convert deprecated options into those that replaced them."""
    if old := params["pipeline"]:
        logger.warning("`-p` and `--pipeline` are deprecated: use `--pipelines %s`", old)
        params["pipelines"] = [*params["pipelines"], *(name.strip() for name in old.split(","))]
        params["pipeline"] = None
    if params["is_async"]:
        logger.warning("`--async` is deprecated: use `--runner-params=is_async=True`")
        params["runner_params"] = {"is_async": True} | params["runner_params"]
        params["is_async"] = False


def _check_runner(name: str | None, options: dict[str, Any]) -> None:
    name = name or _RUNNERS[0]
    if "." not in name and not hasattr(runners, name):
        raise ConfigurationError(unknown_name("runner", name, _RUNNERS))
    try:
        runner = load_obj(name, "kedro.runner")
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"the runner {name} cannot be loaded: {error}") from error
    if not (isinstance(runner, type) and issubclass(runner, AbstractRunner)):
        raise ConfigurationError(f"{name} is not a runner; known: {', '.join(_RUNNERS)}")
    try:
        runner(**options)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"--runner-params: {error}") from error


def _read_config(context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Take options from a file, unless the command line gives them."""
    if value:
        options = arguments.read_file(Path(value))
        known = [str(each.name) for each in _KEDRO.params if each.name != "config"]
        for key in options:
            if key not in known:
                raise ConfigurationError(f"{value}: {unknown_name('option', key, known)}")
        context.default_map = {**(context.default_map or {}), **options}
    return value


_KEDRO = project.run


def _option(kedro: click.Parameter) -> click.Parameter:
    if kedro.name == "params":
        text = "Parameters key=value, separated by commas; text is taken as it is typed."
        return _Params(
            ["--params"],
            multiple=True,
            type=click.UNPROCESSED,
            help=text,
            callback=lambda _context, _option, value: value or {},
        )
    if kedro.name == "config":
        return click.Option(
            ["--config", "-c"],
            type=click.Path(exists=True, dir_okay=False, resolve_path=True),
            help=kedro.help,
            callback=_read_config,
        )
    return kedro


run = RunCommand(
    "run",
    params=[_option(each) for each in _KEDRO.params],
    callback=_KEDRO.callback,
    help=_KEDRO.help,
)
cli = click.Group("kedro", commands={"run": run, "experiments": experiments})

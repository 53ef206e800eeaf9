"""Progress of a run: a bar on a terminal, lines in the log elsewhere."""

import logging
import threading
import time

import rich
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Column
from typing_extensions import override

from etram_pipeline.builds.progress import duration
from etram_pipeline.core.progress import latest_progress, tell_progress

logger = logging.getLogger(__name__)

SILENCE_S = 20.0
"""Longest time without a line in a log that is not a terminal."""

_REFRESH_S = 0.25


class Display:
    """Shows which stage of a run is at work, and how far it is.

    In a log, a line is added only if nothing was logged for a while.
    """

    def __init__(self, silence_s: float = SILENCE_S) -> None:
        """Log a line after `silence_s` seconds without one."""
        self._silence_s = silence_s
        self._stage = ""
        self._since = 0.0
        self._over: threading.Event | None = None
        self._thread: threading.Thread | None = None
        self._heard = _LastLine()

    def start(self, stage: str) -> None:
        """Begin to show a run."""
        self.stop()
        self.enter(stage)
        console = rich.get_console()
        self._over = over = threading.Event()
        self._heard.last_s = time.monotonic()
        show = self._show_bar if console.is_terminal else self._log_silence
        logging.getLogger("etram_pipeline").addHandler(self._heard)
        self._thread = threading.Thread(target=show, args=(console, over), daemon=True)
        self._thread.start()

    def enter(self, stage: str, text: str = "") -> None:
        """Show another stage from now on, and `text` until the stage says more."""
        if stage != self._stage:
            self._stage, self._since = stage, time.monotonic()
        tell_progress(text)

    def stop(self) -> None:
        """Stop showing the run."""
        if self._over is not None and self._thread is not None:
            self._over.set()
            self._thread.join()
            logging.getLogger("etram_pipeline").removeHandler(self._heard)
            self._over = self._thread = None
            self._stage = ""

    def _log_silence(self, _console: Console, over: threading.Event) -> None:
        while not over.wait(min(1.0, self._silence_s / 2)):
            if time.monotonic() - self._heard.last_s >= self._silence_s:
                about = f"{text}, " if (text := latest_progress().text) else ""
                seconds = duration(time.monotonic() - self._since)
                logger.info("%s: %sat work for %s", self._stage, about, seconds)

    def _show_bar(self, console: Console, over: threading.Event) -> None:
        one_line = {"no_wrap": True, "overflow": "ellipsis"}
        columns = (
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(**one_line, max_width=24),  # type: ignore[arg-type]
            ),
            BarColumn(bar_width=8),
            TextColumn(
                "{task.fields[text]}",
                markup=False,
                table_column=Column(**one_line, ratio=1),  # type: ignore[arg-type]
            ),
            TimeElapsedColumn(),
        )
        with Bars(*columns, console=console, transient=True, expand=True) as bars:
            shown = bars.add_task(_short(self._stage), total=None, text="")
            stage = self._stage
            while not over.wait(_REFRESH_S):
                if stage != self._stage:
                    stage = self._stage
                    bars.reset(shown, description=_short(stage), total=None, text="")
                progress = latest_progress()
                bars.update(
                    shown, completed=progress.done, total=progress.total, text=progress.text
                )


def _short(stage: str) -> str:
    """Name of a node without its pipeline."""
    return stage.rpartition(".")[2]


class _LastLine(logging.Handler):
    """Remembers when something was logged last."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.last_s = time.monotonic()

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.last_s = time.monotonic()

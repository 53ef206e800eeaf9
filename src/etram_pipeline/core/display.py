"""Shows the progress of a run: as a bar on a terminal, as lines in the log elsewhere."""

import logging
import threading
import time

import rich
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Column
from typing_extensions import override

from etram_pipeline.core.counts import duration
from etram_pipeline.core.progress import latest_progress, report_progress

logger = logging.getLogger(__name__)

SILENCE_S = 20.0
"""Longest time without a line in a log that is not a terminal."""

_REFRESH_S = 0.25


class Display:
    """Shows which stage of a run is at work, and how far it is, as `core.progress` reports it.

    In a log, a line is added only if nothing was logged for a while.
    """

    def __init__(self, silence_s: float = SILENCE_S, *, with_bar: bool = True) -> None:
        """Log a line after `silence_s` seconds without one, where no bar is shown.

        Args:
            silence_s: Longest time between two lines.
            with_bar: Whether to show a bar if the output is a terminal.
        """
        self._silence_s = silence_s
        self._with_bar = with_bar
        self._stage = ""
        self._since = 0.0
        self._end: threading.Event | None = None
        self._thread: threading.Thread | None = None
        self._last_line = _LastLine()

    def start(self, stage: str) -> None:
        """Begin to show the progress of a run."""
        self.stop()
        self.enter(stage)
        console = rich.get_console()
        self._end = end = threading.Event()
        self._last_line.last_s = time.monotonic()
        is_bar = self._with_bar and console.is_terminal
        show = self._show_bar if is_bar else self._log_after_silence
        logging.getLogger("etram_pipeline").addHandler(self._last_line)
        self._thread = threading.Thread(target=show, args=(console, end), daemon=True)
        self._thread.start()

    def enter(self, stage: str, text: str = "") -> None:
        """Show another stage from now on, and `text` until the stage reports its progress."""
        if stage != self._stage:
            self._stage, self._since = stage, time.monotonic()
        report_progress(text)

    def stop(self) -> None:
        """Stop showing the progress."""
        if self._end is not None and self._thread is not None:
            self._end.set()
            self._thread.join()
            logging.getLogger("etram_pipeline").removeHandler(self._last_line)
            self._end = self._thread = None
            self._stage = ""

    def _log_after_silence(self, _console: Console, end: threading.Event) -> None:
        while not end.wait(min(1.0, self._silence_s / 2)):
            if time.monotonic() - self._last_line.last_s >= self._silence_s:
                text = latest_progress().text
                seconds = duration(time.monotonic() - self._since)
                running = f"{text}, running for {seconds}" if text else f"running for {seconds}"
                logger.info("%s: %s", self._stage, running)

    def _show_bar(self, console: Console, end: threading.Event) -> None:
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
            while not end.wait(_REFRESH_S):
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

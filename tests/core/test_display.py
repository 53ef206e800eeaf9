"""Signs of life."""

import io
import logging
import re
import time
from collections.abc import Callable

import pytest
import rich
from rich.console import Console

from etram_pipeline.core.display import Display
from etram_pipeline.core.progress import report_progress

SILENCE_S = 0.1


def _wait_until(found: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not found() and time.monotonic() < end:
        time.sleep(0.02)


def test_a_log_is_never_silent_for_long(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rich, "get_console", lambda: Console(file=io.StringIO()))
    display = Display(SILENCE_S)
    with caplog.at_level(logging.INFO, logger="etram_pipeline"):
        display.start("starting")
        display.enter("evaluate.score")
        report_progress("2 of 3 protocols")
        _wait_until(lambda: caplog.records)
        display.stop()
    assert caplog.messages[0].startswith("evaluate.score: 2 of 3 protocols, running for ")


def test_a_stage_that_logs_by_itself_is_left_alone(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rich, "get_console", lambda: Console(file=io.StringIO()))
    display = Display(2.0)
    with caplog.at_level(logging.INFO, logger="etram_pipeline"):
        display.start("train")
        for _ in range(10):
            logging.getLogger("etram_pipeline.stage").info("step")
            time.sleep(0.01)
        display.stop()
    assert set(caplog.messages) == {"step"}


@pytest.mark.parametrize("width", [60, 80])
def test_a_bar_takes_one_line_however_long_its_text(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=width)
    monkeypatch.setattr(rich, "get_console", lambda: console)
    display = Display()
    display.start("preprocess.encode_recordings")
    report_progress("3 of 20 recordings; now train/" + 30 * "long_name_", 3, 20)
    _wait_until(lambda: "3 of 20" in shown.getvalue())
    display.stop()
    frames = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue()).split("\r")
    drawn = [line for line in "\n".join(frames).splitlines() if line.strip()]
    assert any("3 of" in line for line in drawn)
    assert max(map(len, drawn)) <= width
    assert "\x1b[2K\x1b[1A" not in shown.getvalue()  # going up: the bar had more than one line
    assert "\x1b[?25h" in shown.getvalue()  # the cursor is back


def test_a_display_can_be_stopped_twice_and_started_again() -> None:
    display = Display()
    display.stop()
    display.start("one")
    display.start("two")
    display.stop()
    display.stop()


def test_a_bar_erases_no_message_after_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(rich, "get_console", lambda: Console(file=shown, force_terminal=True))
    display = Display()
    display.start("starting")
    _wait_until(lambda: "starting" in shown.getvalue())
    display.stop()
    after = len(shown.getvalue())
    time.sleep(0.4)
    assert len(shown.getvalue()) == after
    assert shown.getvalue().rindex("\x1b[?25h") > shown.getvalue().rindex("starting")

"""What a training shows."""

import io
import logging
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import rich
from rich.console import Console

from etram_pipeline.core.progress import Progress
from etram_pipeline.training import progress
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.settings import TrainSettings

Record = Callable[..., LabelledRecordings]
Train = Callable[[], list[Progress]]


@pytest.fixture
def train(
    record: Record,
    blueprint: Blueprint,
    settings: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Train:
    """Trains, and returns what the run's display is told."""

    def run() -> list[Progress]:
        told: list[Progress] = []
        monkeypatch.setattr(progress, "tell_progress", lambda *about: told.append(Progress(*about)))
        fit(record(2), record(1), blueprint, settings, tmp_path)
        return told

    return run


def test_the_display_is_told_steps_losses_rate_score_and_time_left(train: Train) -> None:
    told = train()
    assert [one.done for one in told if one.text.startswith("step 8 of 8")][-1] == 8
    assert {one.total for one in told} == {8}
    assert re.search(
        r"^step 8 of 8: loss [\d.]+ \(.*\), rate [\d.e-]+, AP [\d.]+, AP50 [\d.]+, "
        r"[\d.]+ steps/s, 0 s left$",
        told[-1].text,
    )
    assert any("validated 1 of" in one.text for one in told)


def test_each_validation_is_one_line_of_the_log(
    train: Train, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="etram_pipeline"):
        train()
    lines = [record.message for record in caplog.records if "of 8" in record.message]
    assert [line.split(":")[0] for line in lines] == ["step 4 of 8", "step 8 of 8"]
    assert all("loss" in line and "AP50" in line and "steps/s" in line for line in lines)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_log_is_never_silent_for_long_and_a_terminal_has_a_bar(
    train: Train,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    is_terminal: bool,  # noqa: FBT001
) -> None:
    console = Console(file=io.StringIO(), force_terminal=is_terminal)
    monkeypatch.setattr(rich, "get_console", lambda: console)
    monkeypatch.setattr(progress, "LOG_EVERY_S", 0.0)
    with caplog.at_level(logging.INFO, logger="etram_pipeline"):
        train()
    lines = [record.message for record in caplog.records if record.message.startswith("step")]
    assert any(line.startswith("step 3 of 8") for line in lines) != is_terminal
    assert any("validated 1 of" in line for line in lines) != is_terminal


def test_lightning_gives_no_advice(train: Train, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train()
    assert not [str(warning.message) for warning in caught]
    assert "GPU available" not in "".join(capfd.readouterr())

"""What a training shows."""

import io
import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import rich
from rich.console import Console

from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.settings import TrainSettings

Record = Callable[..., LabelledRecordings]
Train = Callable[[], str]


@pytest.fixture
def train(
    record: Record,
    blueprint: Blueprint,
    settings: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Train:
    """Trains, and returns what is shown on a console that is a terminal or is not."""

    def run() -> str:
        shown = io.StringIO()
        console = Console(file=shown, force_terminal=request.param, width=120)
        monkeypatch.setattr(rich, "get_console", lambda: console)
        fit(record(2), record(1), blueprint, settings, tmp_path)
        return shown.getvalue()

    return run


@pytest.mark.parametrize("train", [True], indirect=True)
def test_a_terminal_shows_a_bar_with_loss_and_score(train: Train) -> None:
    shown = train()
    for text in ("training", "8/8", "loss", "AP50", "0:00:0"):
        assert text in shown


@pytest.mark.parametrize("train", [False], indirect=True)
def test_elsewhere_each_validation_is_one_line_of_the_log(
    train: Train, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="etram_pipeline"):
        assert train() == ""
    lines = [record.message for record in caplog.records if "of 8" in record.message]
    assert [line.split(":")[0] for line in lines] == ["step 4 of 8", "step 8 of 8"]
    assert all("loss" in line and "AP50" in line and "steps/s" in line for line in lines)


@pytest.mark.parametrize("train", [False], indirect=True)
def test_lightning_gives_no_advice(train: Train, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train()
    assert not [str(warning.message) for warning in caught]
    assert "GPU available" not in "".join(capfd.readouterr())

"""What a training reports."""

import logging
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

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
    """Trains, and returns the progress that was reported."""

    def run() -> list[Progress]:
        reported: list[Progress] = []
        monkeypatch.setattr(progress, "_REPORT_EVERY_S", 0.0)
        monkeypatch.setattr(
            progress, "report_progress", lambda *about: reported.append(Progress(*about))
        )
        fit(record(2), record(1), blueprint, settings, tmp_path)
        return reported

    return run


def test_steps_losses_rate_score_and_time_left_are_reported(train: Train) -> None:
    reported = train()
    assert [one.done for one in reported if one.text.startswith("step 8 of 8")][-1] == 8
    assert {one.total for one in reported} == {8}
    assert re.search(
        r"^step 8 of 8: loss [\d.]+ \(.*\), rate [\d.e-]+, AP [\d.]+, AP50 [\d.]+, "
        r"[\d.]+ steps/s, 0 s left$",
        reported[-1].text,
    )
    assert any("validated 1 of" in one.text for one in reported)


def test_each_validation_is_one_line_of_the_log(
    train: Train, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="etram_pipeline"):
        train()
    lines = [record.message for record in caplog.records if "of 8" in record.message]
    assert [line.split(":")[0] for line in lines] == ["step 4 of 8", "step 8 of 8"]
    assert all("loss" in line and "AP50" in line and "steps/s" in line for line in lines)


def test_lightning_gives_no_advice(train: Train, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train()
    assert not [str(warning.message) for warning in caught]
    assert "GPU available" not in "".join(capfd.readouterr())

"""Trainings that are killed and continued, compared with the same ones left alone."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from tests.training.runs import (
    At,
    PowerCutError,
    assert_same_training,
    changed,
    fail,
    interrupt,
)

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.training.checkpoints import LAST
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.history import HISTORY, Recorder, read_history
from etram_pipeline.training.module import DetectionModule
from etram_pipeline.training.settings import TrainSettings

Record = Callable[..., LabelledRecordings]
SAMPLINGS = ("stream", "random", "mixed")


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def erratic(blueprint: Blueprint) -> Blueprint:
    """A detector with memory, to which chance of two generators happens in training."""
    detector = blueprint.detector.model_copy(update={"erratic": True})
    return blueprint.model_copy(update={"detector": detector})


@pytest.fixture
def eventful(settings: TrainSettings) -> TrainSettings:
    """Nine steps of two batches each, with all that a training has to remember.

    Saved after steps 3, 4, 7, 8 and 9; validated after 4, 8 and 9.
    """
    return changed(
        settings,
        max_steps=9,
        average_decay=0.9,
        checkpoint_every_steps=3,
        optimizer=settings.optimizer.model_dump() | {"accumulate": 2},
        validation=settings.validation.model_dump() | {"patience": 3},
    )


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_a_training_stopped_again_and_again_gives_the_same_to_the_last_bit(
    record: Record,
    erratic: Blueprint,
    eventful: TrainSettings,
    tmp_path: Path,
    sampling: str,
    workers: int,
) -> None:
    data = record(3), record(2, first_seed=7), erratic
    ways: dict[int, list[tuple[int, Callable[[], object], type[BaseException]]]] = {
        0: [(2, fail, PowerCutError), (6, interrupt, KeyboardInterrupt), (9, fail, PowerCutError)],
        2: [(6, terminate, SystemExit)],
    }
    settings = changed(eventful, sampling={"kind": sampling})
    fit(*data, settings, tmp_path / "whole")
    settings = changed(settings, workers=workers)
    for step, action, error in ways[workers]:
        with pytest.raises(error):
            fit(*data, settings, tmp_path / "parts", [At(step, action)])
    fit(*data, settings, tmp_path / "parts")
    assert_same_training(tmp_path / "parts", tmp_path / "whole")


def test_sgd_with_groups_is_continued_to_the_last_bit(
    record: Record, erratic: Blueprint, eventful: TrainSettings, tmp_path: Path
) -> None:
    groups = {"stem.": {"rate": 0.5, "layer_decay": 0.8}, "head": {"decay_vectors": False}}
    sgd = {"kind": "sgd", "momentum": 0.9, "weight_decay": 1e-3, "groups": groups}
    settings = changed(eventful, optimizer={**sgd, "accumulate": 2, "learning_rate": 1e-3})
    data = record(3), record(2, first_seed=7), erratic
    fit(*data, settings, tmp_path / "whole")
    with pytest.raises(PowerCutError):
        fit(*data, settings, tmp_path / "parts", [At(6, fail)])
    fit(*data, settings, tmp_path / "parts")
    assert_same_training(tmp_path / "parts", tmp_path / "whole")
    rates = {name for _, name, _ in read_history(tmp_path / "parts" / HISTORY) if "rate" in name}
    ends = ("", "/stem.", "/head")
    assert rates == {f"train/learning_rate{end}" for end in ends}


def last_step(folder: Path) -> int:
    path = folder / HISTORY
    rows = read_history(path) if path.exists() else []
    return rows[-1][0] if rows else 0


def run_killed_at(steps: list[int], folder: Path, train: Callable[[], object]) -> None:
    """Run a training in processes that are killed some time after each of `steps`, to its end."""
    chance = random.Random(0)
    fork = multiprocessing.get_context("fork")
    for step in [*steps, None]:
        process = fork.Process(target=train)
        process.start()
        while step and process.is_alive() and last_step(folder) < step:
            time.sleep(0.002)
        if step:
            time.sleep(chance.uniform(0, 0.1))
            process.kill()
        process.join(100)
        assert process.exitcode == (-signal.SIGKILL if step else 0)


@pytest.mark.parametrize(("workers", "kills"), [(0, [3, 14]), (2, [5])])
def test_a_training_killed_at_any_time_gives_the_same_to_the_last_bit(
    record: Record,
    erratic: Blueprint,
    eventful: TrainSettings,
    tmp_path: Path,
    workers: int,
    kills: list[int],
) -> None:
    settings = changed(eventful, max_steps=kills[-1] + 6, workers=workers, log_every_steps=1)
    data = record(3), record(2, first_seed=7), erratic
    fit(*data, settings, tmp_path / "whole")
    parts = tmp_path / "parts"
    run_killed_at(kills, parts, lambda: fit(*data, settings, parts))
    assert_same_training(parts, tmp_path / "whole")
    assert not list(parts.glob(".*.partial"))


@pytest.mark.parametrize("at", [4, 8, 9])
def test_a_validation_that_is_cut_short_is_made_up_for(
    record: Record,
    erratic: Blueprint,
    eventful: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at: int,
) -> None:
    """Before the last one, the steps since the last state are trained again."""
    data = record(3), record(2, first_seed=7), erratic
    settings = changed(eventful, checkpoint_every_steps=100)
    fit(*data, settings, tmp_path / "whole")

    real = DetectionModule.validation_step

    def cut(module: DetectionModule, batch: SequenceBatch, number: int) -> None:
        real(module, batch, number)
        if module.global_step == at:
            raise PowerCutError

    with monkeypatch.context() as patched:
        patched.setattr(DetectionModule, "validation_step", cut)
        with pytest.raises(PowerCutError):
            fit(*data, settings, tmp_path / "parts")
    assert torch.load(tmp_path / "parts" / LAST)["global_step"] == (at if at < 9 else 8)
    fit(*data, settings, tmp_path / "parts")
    assert_same_training(tmp_path / "parts", tmp_path / "whole")


def test_scores_stand_once_in_the_history_though_it_was_killed_right_after_they_were_written(
    record: Record,
    erratic: Blueprint,
    eventful: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = record(3), record(2, first_seed=7), erratic
    fit(*data, eventful, tmp_path / "whole")

    real = Recorder.on_validation_end

    def cut(recorder: Recorder, trainer: Trainer, module: LightningModule) -> None:
        real(recorder, trainer, module)
        if trainer.global_step == 8:
            raise PowerCutError

    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "on_validation_end", cut)
        with pytest.raises(PowerCutError):
            fit(*data, eventful, tmp_path / "parts")
    fit(*data, eventful, tmp_path / "parts")
    assert_same_training(tmp_path / "parts", tmp_path / "whole")


@pytest.mark.parametrize(
    "told",
    [
        (signal.SIGINT, 2, 3),
        (signal.SIGINT, 3, 4),
        (signal.SIGTERM, 4, 4),
        (signal.SIGTERM, 5, 6),
        (signal.SIGTERM, 9, None),
    ],
)
def test_a_signal_loses_no_step(
    record: Record,
    erratic: Blueprint,
    eventful: TrainSettings,
    tmp_path: Path,
    told: tuple[signal.Signals, int, int | None],
) -> None:
    """Told after step 4, it ends in the validation; told after step 9, it comes to its end."""
    number, at, saved = told
    data = record(3), record(2, first_seed=7), erratic
    settings = changed(eventful, checkpoint_every_steps=100)
    fit(*data, settings, tmp_path / "whole")
    parts = tmp_path / "parts"
    when = At(at, lambda: os.kill(os.getpid(), number))
    if saved is None:
        fit(*data, settings, parts, [when])
    else:
        ending = KeyboardInterrupt if number == signal.SIGINT else SystemExit
        with pytest.raises(ending) as ended:
            fit(*data, settings, parts, [when])
        if number == signal.SIGINT:
            assert str(ended.value) == (
                f"stopped at step {saved} of 9; the same command continues from there"
            )
        assert torch.load(parts / LAST)["global_step"] == saved
        fit(*data, settings, parts)
    assert_same_training(parts, tmp_path / "whole")

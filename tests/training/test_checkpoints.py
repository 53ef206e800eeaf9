"""Checkpoint files."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from etram_pipeline.training.checkpoints import (
    BEST,
    LAST,
    WholeFiles,
    find_resumable,
    write_detector,
)
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.settings import TrainSettings

Record = Callable[..., LabelledRecordings]


class Unpicklable:
    def __reduce__(self) -> str:
        raise RuntimeError("power cut")


def test_a_checkpoint_that_fails_to_be_written_leaves_the_former_one(tmp_path: Path) -> None:
    files = WholeFiles()
    files.save_checkpoint({"step": 1}, tmp_path / LAST)
    with pytest.raises(RuntimeError, match="power cut"):
        files.save_checkpoint({"step": 2, "bad": Unpicklable()}, tmp_path / LAST)
    assert torch.load(tmp_path / LAST) == {"step": 1}
    assert [path.name for path in tmp_path.iterdir()] == [LAST]


def test_training_continues_from_the_last_whole_checkpoint(tmp_path: Path) -> None:
    assert find_resumable(tmp_path) is None
    torch.save({"step": 1}, tmp_path / BEST)
    torch.save({"step": 2}, tmp_path / LAST)
    assert find_resumable(tmp_path) == tmp_path / LAST
    content = (tmp_path / LAST).read_bytes()
    (tmp_path / LAST).write_bytes(content[:-50])
    assert find_resumable(tmp_path) == tmp_path / BEST


def test_a_checkpoint_with_damage_inside_is_passed_over_aloud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weights = torch.arange(1000.0)
    torch.save({"weights": weights}, tmp_path / BEST)
    content = (tmp_path / BEST).read_bytes()
    at = content.index(weights.numpy().tobytes()) + 500
    (tmp_path / LAST).write_bytes(content[:at] + b"damage" + content[at + 6 :])
    torch.load(tmp_path / LAST)  # sees nothing
    assert find_resumable(tmp_path) == tmp_path / BEST
    assert "last.ckpt is damaged: training does not continue from it" in caplog.text


def test_a_detector_alone_is_what_its_checkpoint_holds_without_the_training(
    tmp_path: Path, record: Record, blueprint: Blueprint, settings: TrainSettings
) -> None:
    best = fit(record(2), record(1), blueprint, settings, tmp_path)
    whole, alone = torch.load(best), torch.load(write_detector(best))
    written = best.with_name("detector.ckpt").read_bytes()
    assert write_detector(best).read_bytes() == written
    assert list(alone) == ["etram", "state_dict"]
    assert alone["etram"] == whole["etram"]
    assert list(alone["state_dict"]) == list(whole["state_dict"])
    assert all(torch.equal(alone["state_dict"][k], v) for k, v in whole["state_dict"].items())

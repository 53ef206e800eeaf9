"""Checkpoint files."""

from pathlib import Path

import pytest
import torch

from etram_pipeline.training.checkpoints import BEST, LAST, WholeFiles, find_resumable


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

"""The course of a training as a table."""

from pathlib import Path

import pytest
import torch

from etram_pipeline.core.errors import StoreError
from etram_pipeline.training.history import HISTORY, History, read_history


def test_rows_are_step_name_and_value(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.forget_after(0)
    history.append(1, {"train/loss": torch.tensor(0.5)})
    history.append(2, {"val/coco/AP": 0.25})
    assert read_history(tmp_path / HISTORY) == [(1, "train/loss", 0.5), (2, "val/coco/AP", 0.25)]
    assert (tmp_path / HISTORY).read_text().splitlines()[0] == "step,name,value"


@pytest.mark.parametrize("cut", ["2", "2,train", "2,train/loss,", "2,train/loss,1e-"])
def test_what_comes_again_is_forgotten_and_so_is_a_row_cut_short(tmp_path: Path, cut: str) -> None:
    history = History(tmp_path)
    history.forget_after(0)
    for step in range(1, 5):
        history.append(step, {"train/loss": 1.0 / step})
    with (tmp_path / HISTORY).open("a") as file:
        file.write(cut)
    history.forget_after(2)
    assert [row[0] for row in read_history(tmp_path / HISTORY)] == [1, 2]


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"a\nb,c\n", b"a\n1,train/loss,much\n"])
def test_a_damaged_history_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / HISTORY).write_bytes(content)
    with pytest.raises(StoreError, match=r"history\.csv is damaged: delete it"):
        History(tmp_path).forget_after(3)

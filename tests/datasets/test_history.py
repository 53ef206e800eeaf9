from pathlib import Path

import pandas as pd

from etram_pipeline.datasets.history import COLUMNS, HistoryDataset


def test_a_history_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    history = pd.DataFrame([(10, "train/loss", 4.5), (20, "train/loss", 3.25)], columns=COLUMNS)
    dataset = HistoryDataset(filepath=str(tmp_path / "history.csv"))
    dataset.save(history)
    pd.testing.assert_frame_equal(dataset.load(), history)


def test_a_checkpoint_from_elsewhere_has_an_empty_history(tmp_path: Path) -> None:
    empty = HistoryDataset(filepath=str(tmp_path / "none.csv")).load()
    assert list(empty.columns) == list(COLUMNS)
    assert empty.empty

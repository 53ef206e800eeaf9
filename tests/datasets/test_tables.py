"""Tables that people open in a spreadsheet."""

from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DatasetError

from etram_pipeline.datasets.tables import TableDataset


def test_names_are_written_so_that_nothing_runs_and_read_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "frames.csv"
    dataset = TableDataset(filepath=str(path))
    table = pd.DataFrame(
        {
            "split": ["train"] * 5,
            "recording": ["=1+1", "007", "NA", "@x", "'-a"],
            "frames": [3, -1, 0, 2, 5],
            "=car": [1, 2, 3, 4, 5],
            "rate": [0.5, -1.5, None, 2.0, 3.0],
        }
    )
    dataset.save(table)
    rows = [line.split(",") for line in path.read_text().splitlines()]
    assert rows[0] == ["split", "recording", "frames", "'=car", "rate"]
    assert [row[1] for row in rows[1:]] == ["'=1+1", "007", "NA", "'@x", "''-a"]
    assert rows[2][2] == "-1"
    pd.testing.assert_frame_equal(dataset.load(), table, check_dtype=False)
    assert dataset.load()["recording"].tolist() == table["recording"].tolist()


def test_tables_with_places_without_a_value_are_written(tmp_path: Path) -> None:
    dataset = TableDataset(filepath=str(tmp_path / "quality.csv"))
    dataset.save(pd.DataFrame({"recording": ["a", "b"], "boxes": [4, None]}).convert_dtypes())
    assert dataset.load()["boxes"].tolist()[0] == 4
    assert (tmp_path / "quality.csv").read_text() == "recording,boxes\na,4\nb,\n"


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.csv does not exist"):
        TableDataset(filepath=str(tmp_path / "none.csv")).load()

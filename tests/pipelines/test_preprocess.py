"""The nodes that check recordings, with the datasets they are saved to."""

from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
from tests.conftest import OpenSession
from tests.defects import paths, write_defects
from tests.label_sets import LABEL_SETS

from etram_pipeline.core import etram
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import LabelError
from etram_pipeline.datasets.quality import QualityDataset
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.pipelines.preprocess import nodes
from etram_pipeline.pipelines.report.nodes import QUALITY_COLUMNS, quality_of_page
from etram_pipeline.quality.settings import QualitySettings
from etram_pipeline.reports.tables import records_table
from etram_pipeline.stores.settings import StorageSettings

DATASET = DatasetSettings(height=96, width=128, class_names=etram.CLASSES)
Reported = tuple[pd.DataFrame, dict[str, float], str]

SETTINGS, STORAGE = QualitySettings(), StorageSettings()


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """Table, numbers and page of a folder of planted defects."""
    folder = tmp_path_factory.mktemp("planted")
    write_defects(folder / "data")
    dataset = QualityDataset(path=str(folder / "quality"), executor={"kind": "inline"})
    dataset.save(
        nodes.describe_quality(*paths(folder / "data"), DATASET, LABEL_SETS, SETTINGS, STORAGE)
    )
    _, label_files = paths(folder / "data")
    labels = LabelSettings(frames="spaced", frame_interval_ms=None)
    return nodes.report_quality(dataset.load(), label_files, DATASET, LABEL_SETS, labels, SETTINGS)


def test_a_folder_of_defects_comes_to_a_table_numbers_and_a_page(reported: Reported) -> None:
    table, numbers, page = reported
    assert len(table) == numbers["quality/train/recordings"] + 10 + 3
    assert numbers["quality/train/failed"] == 1
    assert page.startswith("<!DOCTYPE html>")
    assert "labelled moments will be no labelled frame: " in page


def test_the_table_survives_csv_and_is_shown_in_the_report(
    reported: Reported, tmp_path: Path
) -> None:
    table, _, _ = reported
    table.to_csv(tmp_path / "quality.csv", index=False)
    assert "60000.0" not in (tmp_path / "quality.csv").read_text()
    rows = quality_of_page(pd.read_csv(tmp_path / "quality.csv"))
    shown = records_table(rows)
    assert len(shown.header) == len(QUALITY_COLUMNS)
    (unread,) = [row for row in shown.rows if row[1] == "cut"]
    assert unread[3] == ""
    (sound, *_) = [row for row in shown.rows if row[1] == "sound_0"]
    assert sound[3] == 60_000
    assert isinstance(sound[3], int)


def write_grouped_labels(root: Path) -> dict[str, Path]:
    """Label files of three super-classes of ten recordings of eTraM."""
    table = np.zeros(4, LABEL_DTYPE)
    table["class_id"] = [0, 1, 2, 1]
    files = {}
    for number in range(10):
        files[f"val/val_day_{number:04d}"] = root / f"val/val_day_{number:04d}_bbox.npy"
        files[f"val/val_day_{number:04d}"].parent.mkdir(exist_ok=True)
        np.save(files[f"val/val_day_{number:04d}"], table)
    return files


def test_labels_of_the_wrong_set_are_refused_by_whoever_reads_labels_first(tmp_path: Path) -> None:
    files = write_grouped_labels(tmp_path)
    with pytest.raises(LabelError, match="three super-classes"):
        nodes.describe_quality({}, files, DATASET, LABEL_SETS, SETTINGS, STORAGE)
    with pytest.raises(LabelError, match="three super-classes"):
        nodes.describe_labelled_frames({}, files, DATASET, LABEL_SETS, LabelSettings(), STORAGE)


def test_a_run_on_labels_of_the_wrong_set_ends_before_anything_is_computed(
    session: OpenSession, project: Path
) -> None:
    write_grouped_labels(project)
    for number in range(10):
        path = project / f"val/val_day_{number:04d}_td.h5"
        path.write_text("# unit: us\n# t x y p\n0 1 2 1\n")  # what is in a file tells what it is
    with (
        session("recording", recording=str(project), mlflow=False) as active,
        pytest.raises(click.ClickException, match="preset=grouped_labels"),
    ):
        active.run(pipeline_names=["preprocess"])
    assert not list(project.glob("data/**/*.json"))

"""Labels and events that are timed by different clocks."""

import logging
from pathlib import Path

import numpy as np
import pytest
from tests.raw_files import write_evt3

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import LabelError
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.preprocessing.labels import LabelJob
from etram_pipeline.quality.findings import find
from etram_pipeline.quality.job import QualityJob, QualityStore
from etram_pipeline.quality.settings import QualitySettings
from etram_pipeline.quality.survey import Survey
from etram_pipeline.stores.layout import LABELS
from etram_pipeline.stores.reader import read_labelled_frames

DATASET = DatasetSettings(height=720, width=1280, class_names=("car",))
SPACED = LabelSettings(frames="spaced", frame_interval_ms=None)


def files(folder: Path, length_us: int) -> tuple[Path, Path]:
    """An event every 10 ms from 6 437 104 us on, and labels as the vendor's SDK counts."""
    path = write_evt3(folder / "a.raw", range(6_437_104, 6_437_104 + length_us, 10_000))
    labels = np.zeros(10, LABEL_DTYPE)
    labels["t"] = np.linspace(0.1, 1, 10) * length_us
    labels["w"] = labels["h"] = 20
    np.save(folder / "a_bbox.npy", labels)
    return path, folder / "a_bbox.npy"


def job(folder: Path, length_us: int, dataset: DatasetSettings = DATASET) -> LabelJob:
    return LabelJob(*files(folder, length_us), "test", dataset, SPACED)


def test_labels_before_all_events_are_refused_with_the_clock_to_set(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"events at 6437104 us.*`dataset.clock: sdk`: set it"):
        job(tmp_path, 2_000_000)(tmp_path / "out", "mark")


def test_labels_before_some_events_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        job(tmp_path, 15_000_000)(tmp_path / "out", "mark")
    assert "`dataset.clock: sdk`: set it" in caplog.text


def test_by_the_clock_of_the_labels_all_of_them_are_frames(tmp_path: Path) -> None:
    dataset = DATASET.model_copy(update={"clock": "sdk"})
    job(tmp_path, 2_000_000, dataset)(tmp_path / "out", "mark")
    frames = read_labelled_frames(tmp_path / "out" / LABELS)
    assert (len(frames), frames.left_out.total) == (10, 0)


@pytest.mark.parametrize(("clock", "titles"), [("file", 1), ("sdk", 0)])
def test_the_quality_report_names_the_clock(tmp_path: Path, clock: str, titles: int) -> None:
    path, label_path = files(tmp_path, 15_000_000)
    dataset = DatasetSettings.model_validate({**DATASET.model_dump(), "clock": clock})
    measure = QualityJob(path, label_path, (720, 1280), QualitySettings(), dataset.clock)
    measure(tmp_path / "store/test/a", "mark")
    survey = Survey(dict(QualityStore(tmp_path / "store")), {}, dataset)
    found = [each for each in find(survey) if "different moments" in each.title]
    assert len(found) == titles
    assert all("`dataset.clock: sdk`" in each.detail for each in found)


def test_the_clock_of_the_file_leaves_settings_and_jobs_as_they_were(tmp_path: Path) -> None:
    assert "clock" not in DATASET.model_dump()
    measure = QualityJob(tmp_path, None, (720, 1280), QualitySettings())
    assert "clock" not in measure.parameters
    assert "clock" in QualityJob(tmp_path, None, (720, 1280), QualitySettings(), "sdk").parameters

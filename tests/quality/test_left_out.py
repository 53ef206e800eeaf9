"""Labelled moments that the page says are left out."""

from pathlib import Path

import numpy as np
import pytest
from tests.defects import DURATION_US, sound, write_files
from tests.quality.conftest import DATASET

from etram_pipeline.labels.moments import LeftOut
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.quality.job import QualityJob, QualityStore
from etram_pipeline.quality.left_out import count_left_out
from etram_pipeline.quality.settings import QualitySettings
from etram_pipeline.quality.survey import Survey


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (LabelSettings(frames="spaced", frame_interval_ms=None), LeftOut(early=3, outside=2)),
        (LabelSettings(frame_interval_ms=33), LeftOut(early=3, off_grid=2)),
    ],
)
def test_moments_are_counted_as_preprocessing_will_choose_them(
    tmp_path: Path, settings: LabelSettings, expected: LeftOut
) -> None:
    files = sound()
    late = files.boxes[-2:].copy()
    late["t"] = DURATION_US + 150_000, DURATION_US + 250_000
    files.labels = np.concatenate([files.boxes, late])
    write_files(tmp_path / "data", "test/a", files)
    path, label_path = (next((tmp_path / "data").rglob(name)) for name in ("*.h5", "*_bbox.npy"))
    QualityJob(path, label_path, (96, 128), QualitySettings())(tmp_path / "store/test/a", "mark")
    survey = Survey(dict(QualityStore(tmp_path / "store")), {"test/b": "damaged"}, DATASET)

    found = count_left_out(survey, {"test/a": label_path, "test/b": label_path}, settings)

    assert found == {"test/a": expected}

"""Checking recordings one by one, through the same machinery that encodes them."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.defects import DURATION_US, NUM_EVENTS, paths, sound, write_files

from etram_pipeline.builds.build import build
from etram_pipeline.builds.executors import InlineExecutor
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import RecordingError, StoreError
from etram_pipeline.quality.job import QualityJob, QualityStore, quality_jobs
from etram_pipeline.quality.settings import QualitySettings
from etram_pipeline.stores.index import Index
from etram_pipeline.stores.layout import QUALITY

DATASET = DatasetSettings(height=96, width=128, class_names=("car", "bus"))
SETTINGS = QualitySettings()


def check(data: Path, root: Path, settings: QualitySettings = SETTINGS) -> Index:
    jobs = quality_jobs(*paths(data), DATASET, settings)
    return build(root, QUALITY, jobs, InlineExecutor(), raise_failures=False)


def times_of_change(root: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in root.glob("*/*/quality/*.json")}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A sound recording."""
    write_files(tmp_path / "data", "train/a", sound())
    return tmp_path / "data"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where results go."""
    return tmp_path / "quality"


def test_what_was_found_is_stored_and_read_again(data: Path, root: Path) -> None:
    check(data, root)
    (found,) = QualityStore(root).values()
    assert (found.height, found.width) == (96, 128)
    assert (found.events.num_events, found.events.num_kept) == (NUM_EVENTS, NUM_EVENTS)
    assert found.events.duration_us == DURATION_US - 1
    assert found.labels is not None
    assert (found.labels.num_boxes, found.labels.num_tracks) == (238, 2)
    assert found.labels.boxes_of_class == {1: 119, 5: 119}
    assert sum(found.moments_of_bin) == 119
    assert len(found.moments_of_bin) == len(found.events.events_of_bin)


def test_a_recording_that_was_cut_off_says_so(data: Path, root: Path) -> None:
    words = np.array([8 << 28 | 1, 1 << 28 | 5 << 11 | 7], "<u4").tobytes()
    header = b"% evt 2.0\n% geometry 128x96\n% end\n"
    (data / "train/cut.raw").write_bytes(header + words + b"\x00\x00\x00")
    jobs = quality_jobs({"train/cut": data / "train/cut.raw"}, {}, DATASET, SETTINGS)

    build(root, QUALITY, jobs, InlineExecutor())

    (found,) = QualityStore(root).values()
    assert (found.events.num_events, found.num_bytes_ignored) == (1, 3)


def test_a_second_run_computes_nothing_and_another_setting_everything(
    data: Path, root: Path
) -> None:
    check(data, root)
    before = times_of_change(root)
    check(data, root)
    assert times_of_change(root) == before
    check(data, root, QualitySettings(gap_ms=1))
    after = times_of_change(root)
    assert before.keys() == after.keys()
    assert all(after[path] > before[path] for path in before)


def test_a_label_file_that_appears_makes_the_result_out_of_date(data: Path, root: Path) -> None:
    label_file = data / "train/a_bbox.npy"
    content = label_file.read_bytes()
    label_file.unlink()
    check(data, root)
    assert QualityStore(root)["train/a"].labels is None
    label_file.write_bytes(content)
    check(data, root)
    assert QualityStore(root)["train/a"].labels is not None


def test_a_recording_that_cannot_be_read_stops_no_other(data: Path, root: Path) -> None:
    spoilt = replace(sound(), cut_at=5000)
    write_files(data, "test/b", spoilt)
    index = check(data, root)
    assert list(index.recordings) == ["train/a"]
    store = QualityStore(root)
    assert list(store) == ["train/a"]
    assert "b_td.h5" in store.failed["test/b"].message


def test_events_are_checked_though_the_labels_cannot_be_read(data: Path, root: Path) -> None:
    (data / "train/a_bbox.npy").write_bytes(b"boxes")
    check(data, root)
    found = QualityStore(root)["train/a"]
    assert found.events.num_kept == NUM_EVENTS
    assert found.labels is None
    assert "a_bbox.npy" in found.label_failure


def test_the_settings_size_is_used_where_the_file_has_none(tmp_path: Path) -> None:
    import h5py

    files = sound()
    write_files(tmp_path, "train/a", files)
    path = tmp_path / "train/a_td.h5"
    with h5py.File(path, "r+") as file:
        del file["events/height"], file["events/width"]
    QualityJob(path, None, (96, 60), SETTINGS)(tmp_path / "out", "mark")
    content = (tmp_path / "out/quality/quality.json").read_text()
    assert f'"num_dropped": {np.count_nonzero(files.x >= 60)}' in content


def test_a_job_that_was_killed_between_its_files_is_done_again(data: Path, root: Path) -> None:
    check(data, root)
    (root / "train/a/quality/settings.json").unlink()
    (root / "train/a/quality/quality.json").write_text("{}")
    check(data, root)
    assert QualityStore(root)["train/a"].events.num_kept == NUM_EVENTS


def test_a_damaged_result_is_told_with_its_place(data: Path, root: Path) -> None:
    check(data, root)
    (root / "train/a/quality/quality.json").write_text('{"height": 1}')
    with pytest.raises(StoreError, match=r"quality\.json is missing or damaged"):
        QualityStore(root)["train/a"]


def test_a_failed_job_leaves_what_was_found_before(data: Path, root: Path) -> None:
    check(data, root)
    before = (root / "train/a/quality/quality.json").read_bytes()
    job = QualityJob(data / "nothing.h5", None, (96, 128), SETTINGS)
    with pytest.raises(RecordingError):
        job(root / "train/a", "mark")
    assert (root / "train/a/quality/quality.json").read_bytes() == before


def test_label_files_without_a_recording_are_told(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recordings, label_files = paths(data)
    strays = {f"train/other_{i}": data / f"train/other_{i}_bbox.npy" for i in range(9)}
    with caplog.at_level(logging.WARNING):
        jobs = quality_jobs(recordings, label_files | strays, DATASET, SETTINGS)
    assert list(jobs) == ["train/a"]
    assert "9 label files belong to no recording" in caplog.text
    assert "other_4_bbox.npy" in caplog.text
    assert "other_5_bbox.npy" not in caplog.text

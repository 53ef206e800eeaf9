"""Datasets that are computed when they are saved."""

from dataclasses import replace
from pathlib import Path

import pytest
from kedro.io import DatasetError
from tests.preprocessing.recordings import DATASET, KEYS, write_recordings

from etram_pipeline.builds import state
from etram_pipeline.builds.executors import ExecutorConfig
from etram_pipeline.builds.executors.processes import Config as Processes
from etram_pipeline.core.errors import SettingsError, StoreError
from etram_pipeline.core.progress import Progress
from etram_pipeline.datasets import stores
from etram_pipeline.datasets.stores import LabelledFramesDataset
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.preprocessing.labels import LabelJob, label_jobs

INLINE = {"kind": "inline"}


@pytest.fixture
def jobs(tmp_path: Path) -> dict[str, LabelJob]:
    raw = tmp_path / "raw"
    write_recordings(raw)
    recordings = {key: raw / f"{key}_td.h5" for key in KEYS}
    label_files = {key: raw / f"{key}_bbox.npy" for key in KEYS}
    return label_jobs(recordings, label_files, DATASET, LabelSettings())


def test_saving_computes_what_loading_gives(tmp_path: Path, jobs: dict[str, LabelJob]) -> None:
    dataset = LabelledFramesDataset(path=str(tmp_path / "store"), executor=INLINE)
    assert not dataset.exists()

    dataset.save(jobs)

    assert dataset.exists()
    assert sorted(dataset.load()) == sorted(KEYS)
    assert dataset.preview(nrows=1)["data"] == [["train/a", 9, 9]]


def test_jobs_run_in_processes_unless_another_executor_is_named(tmp_path: Path) -> None:
    assert LabelledFramesDataset(path=str(tmp_path)).executor == Processes(kind="processes")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"workes": 2}, "executor.workes: unknown key; did you mean 'workers'?"),
        ({"workers": 0}, "executor.workers: must be at least 1, not 0"),
    ],
)
def test_wrong_executors_are_told_by_name_when_the_catalog_is_read(
    tmp_path: Path, wrong: dict[str, int], told: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        LabelledFramesDataset(path=str(tmp_path), executor={"kind": "processes", **wrong})
    assert str(caught.value) == told


def test_a_store_that_is_not_there_names_the_pipeline_to_run(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="run `kedro run --pipelines preprocess`"):
        LabelledFramesDataset(path=str(tmp_path / "store"), executor=INLINE).load()


def test_progress_is_reported_with_the_recording_at_work(
    tmp_path: Path, jobs: dict[str, LabelJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Progress] = []
    monkeypatch.setattr(state, "report_progress", lambda *told_: told.append(Progress(*told_)))

    LabelledFramesDataset(path=str(tmp_path / "store"), executor=INLINE).save(jobs)

    assert [one.text for one in told][:2] == [
        "0 of 3 recordings",
        "0 of 3 recordings; now train/a",
    ]
    assert told[-1].done == told[-1].total


@pytest.mark.parametrize(
    ("asked", "num_bytes", "expected"),
    [
        ("processes", 1000, "inline"),
        ("processes", 9_000_000, "processes"),
        ("inline", 9_000_000, "inline"),
        ("dask", 1000, "dask"),
    ],
)
def test_no_process_is_started_for_less_work_than_that_takes(
    jobs: dict[str, LabelJob], tmp_path: Path, asked: str, num_bytes: int, expected: str
) -> None:
    if asked == "dask":
        pytest.importorskip("distributed")
    file = tmp_path / "large"
    with file.open("wb") as large:
        large.truncate(num_bytes)
    job = replace(jobs["train/a"], label_path=file)
    executor = ExecutorConfig.model_validate({"kind": asked})
    assert stores.where_to_run(executor, [job]).kind == expected


def test_saving_where_nothing_can_be_written_fails(
    tmp_path: Path, jobs: dict[str, LabelJob]
) -> None:
    (tmp_path / "store").write_text("notes")

    with pytest.raises((StoreError, DatasetError), match="cannot be written to"):
        LabelledFramesDataset(path=str(tmp_path / "store"), executor=INLINE).save(jobs)

"""Recordings of which nothing can be stored, and what becomes of the others."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from tests.builds.conftest import FOLDER, CountJob, Jobs, Run
from tests.builds.test_build import Computed, contents, with_fate

from etram_pipeline.core.errors import NoLabelsError, StoreError
from etram_pipeline.stores.index import index_path
from etram_pipeline.stores.layout import REPRESENTATIONS
from etram_pipeline.stores.representation_store import RepresentationStore


@pytest.mark.parametrize(
    ("fate", "reason"),
    [
        ("damaged", "RecordingError: train/b.h5 ends in the middle of an event"),
        ("bug", "ZeroDivisionError: a mistake"),
        ("vanished", "an input cannot be read: .*train/b.h5"),
    ],
)
def test_a_bad_recording_does_not_stop_the_others_and_is_listed(
    root: Path, jobs: Jobs, run: Run, computed: Computed, fate: str, reason: str
) -> None:
    with pytest.raises(StoreError, match=f"1 of 4 recordings failed.*\n  train/b: {reason}"):
        run(with_fate(jobs, "train/b", fate))

    assert sorted(RepresentationStore(root)) == ["test/d", "train/a", "val/c"]
    assert list(RepresentationStore(root).failed) == ["train/b"]
    computed()
    run(jobs)
    assert computed() == ["train/b"]


def test_a_failure_leaves_what_was_stored_before(root: Path, jobs: Jobs, run: Run) -> None:
    run(jobs)
    before = contents(root / "train/b")

    with pytest.raises(StoreError):
        run(with_fate(jobs, "train/b", "damaged"))

    assert contents(root / "train/b") == before
    assert "train/b" not in RepresentationStore(root)


def test_failures_can_be_left_to_the_index(jobs: Jobs, run: Run) -> None:
    index = run(with_fate(jobs, "train/b", "damaged"), raise_failures=False)

    assert list(index.failed) == ["train/b"]
    assert len(index.recordings) == 3


@pytest.mark.parametrize(("number", "times"), [(1, 0), (2, 1)])
def test_of_a_single_recording_a_failure_is_told_at_the_end_alone(
    jobs: Jobs, run: Run, caplog: pytest.LogCaptureFixture, number: int, times: int
) -> None:
    run(with_fate(dict(list(jobs.items())[:number]), "train/a", "damaged"), raise_failures=False)

    assert caplog.text.count("ends in the middle") == times


def test_many_failures_are_cut_short(tmp_path: Path, run: Run) -> None:
    log = tmp_path / "log.txt"
    jobs = {f"train/{n:02}": CountJob(f"train/{n:02}", log, fate="damaged") for n in range(13)}

    with pytest.raises(StoreError, match=r"13 of 13(.|\n)*train/09(.|\n)*and 3 more") as error:
        run(jobs)
    assert "train/10" not in str(error.value)


def test_a_recording_without_labels_is_skipped_once_and_for_all(
    root: Path, jobs: Jobs, run: Run, computed: Computed, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = with_fate(jobs, "train/b", "unlabelled")

    with caplog.at_level(logging.WARNING):
        run(jobs)
    computed()
    run(jobs)

    assert computed() == []
    assert RepresentationStore(root).skipped == {"train/b": "no box is left after the filters"}
    assert "train/b is skipped: no box is left" in caplog.text


def test_if_nothing_can_be_stored_of_any_recording_that_is_an_error(jobs: Jobs, run: Run) -> None:
    unlabelled = {key: replace(job, fate="unlabelled") for key, job in jobs.items()}

    with pytest.raises(NoLabelsError, match="nothing to store of any recording; test/d, for one"):
        run(unlabelled)


@pytest.mark.parametrize("name", ["event_representations.h5", "timestamps_us.npy"])
def test_a_file_damaged_from_outside_is_made_again(
    root: Path, jobs: Jobs, run: Run, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    run(jobs)
    before = contents(root)
    path = root / "val/c" / FOLDER / name
    path.write_bytes(path.read_bytes()[:100])

    with caplog.at_level(logging.INFO):
        run(jobs)

    assert f"val/c is out of date: {FOLDER}/{name} is damaged" in caplog.text
    assert contents(root) == before


def test_a_damaged_file_of_unknown_origin_is_named_and_not_replaced(
    root: Path, jobs: Jobs, run: Run
) -> None:
    run(jobs)
    path = root / "val/c" / FOLDER / "event_representations.h5"
    path.write_bytes(path.read_bytes()[:100])
    index_path(root, REPRESENTATIONS).unlink()

    with pytest.raises(StoreError, match=r"val/c.*is not a whole HDF5 file; delete it"):
        run(jobs)
    path.unlink()
    run(jobs)


def test_a_damaged_index_is_written_anew(
    root: Path, jobs: Jobs, run: Run, computed: Computed
) -> None:
    run(jobs)
    computed()
    index_path(root, REPRESENTATIONS).write_text("{")
    with pytest.raises(StoreError, match="is damaged; run `preprocess` again"):
        RepresentationStore(root)

    run(jobs)

    assert computed() == []
    assert len(RepresentationStore(root)) == 4

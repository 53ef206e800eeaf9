"""Results of runs, as comparisons and pages read them."""

import re
from pathlib import Path

import pytest
from tests.experiments.conftest import NUM_RECORDINGS, Write, finish, schedule

from etram_pipeline.core.errors import StoreError
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import Registry
from etram_pipeline.experiments.results import last_line_of_traceback, load_results
from etram_pipeline.mlflow_logging.store import StoreUnavailableError


def test_results_are_read_from_mlflow(
    own: Project, write: Write, registry: Registry, tmp_path: Path
) -> None:
    write("one", "")
    run = schedule(own, registry, "one")
    finish(registry, run, 0.2, tmp_path / "logged")
    found = load_results(registry, run)
    assert list(found.metrics) == ["etram_8class", "coco"]
    assert set(found.matches) == {"etram_8class", "coco"}
    assert len(found.matches["coco"].recordings) == NUM_RECORDINGS
    (again,) = registry.runs()
    assert again.data == {"labelled_frames": "3f9a1c"}
    assert found.metrics["etram_8class"].overall["AP"] == again.metrics["test/etram_8class/AP"]


def test_a_run_without_an_evaluation_has_no_results(
    own: Project, write: Write, registry: Registry
) -> None:
    write("one", "")
    results = load_results(registry, schedule(own, registry, "one"))
    assert (results.metrics, results.matches) == ({}, {})


def test_files_of_a_project_that_was_moved_are_not_taken_for_absent(
    own: Project, write: Write, registry: Registry, tmp_path: Path
) -> None:
    write("one", "")
    run = schedule(own, registry, "one")
    finish(registry, run, 0.2, tmp_path / "logged")
    (run,) = registry.runs()
    files = own.path / "mlruns"
    files.rename(tmp_path / "elsewhere")
    message = f"are in {files}, which does not exist: if the project was moved, move it back, or"
    with pytest.raises(StoreError, match=re.escape(message)):
        load_results(registry, run)


def test_damaged_results_are_an_error(own: Project, write: Write, registry: Registry) -> None:
    write("one", "")
    run = schedule(own, registry, "one")
    registry.client.log_text(run.run_id, "{", "report/metrics.json")
    with pytest.raises(StoreError, match="is damaged"):
        load_results(registry, run)


def test_damaged_matches_are_named_with_their_run(
    own: Project, write: Write, registry: Registry, tmp_path: Path
) -> None:
    write("one", "")
    run = schedule(own, registry, "one")
    finish(registry, run, 0.5, tmp_path / "logged")
    registry.client.log_text(run.run_id, "PK", "report/matches/test-coco.npz")
    wanted = f"report/matches/test-coco.npz of MLflow run {run.run_id} (one, seed 0) is damaged"
    with pytest.raises(StoreError, match=re.escape(wanted)):
        load_results(registry, run)


def test_a_store_that_is_lost_is_one_line(
    own: Project, write: Write, registry: Registry, lost: Registry
) -> None:
    write("one", "")
    run = schedule(own, registry, "one")
    for call in (
        lost.runs,
        lambda: lost.run(run.run_id),
        lambda: lost.history(run.run_id, "AP"),
        lambda: lost.tag(run.run_id, {"a": "b"}),
        lambda: lost.set_status(run.run_id, "FAILED"),
        lambda: lost.schedule("one", own.described("one"), 0, own.path),
    ):
        with pytest.raises(StoreUnavailableError, match="MLflow store"):
            call()


def test_the_last_line_of_a_traceback_says_what_ended_a_run(
    own: Project, write: Write, registry: Registry
) -> None:
    write("one", "")
    run = schedule(own, registry, "one")
    assert last_line_of_traceback(registry, run) == ""
    text = "Traceback (most recent call last):\n  File x\nMemoryError: out of memory\n\n"
    registry.client.log_text(run.run_id, text, "traceback.txt")
    assert last_line_of_traceback(registry, run) == "MemoryError: out of memory"

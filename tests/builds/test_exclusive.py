"""Who may write to a store, while others run, wait, or were killed."""

import errno
import fcntl
import logging
import os
from pathlib import Path

import pytest

from etram_pipeline.builds import exclusive as module
from etram_pipeline.builds.exclusive import exclusive, sweep
from etram_pipeline.core.errors import BusyError, StoreError
from etram_pipeline.stores.layout import LABELS, QUALITY


def test_a_second_one_is_refused_and_told_who_was_first(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path, LABELS),
        pytest.raises(BusyError, match=rf"process {os.getpid()} on \S+ since 20"),
        exclusive(tmp_path, LABELS),
    ):
        pass

    with exclusive(tmp_path, LABELS):
        pass


def test_another_product_of_the_same_store_may_be_written(tmp_path: Path) -> None:
    with exclusive(tmp_path, LABELS), exclusive(tmp_path, QUALITY):
        pass


def test_jobs_work_for_the_run_that_has_the_store(tmp_path: Path) -> None:
    with exclusive(tmp_path, LABELS) as claim, claim.at_work(), claim.at_work():
        pass


def test_a_job_of_a_former_run_is_refused(tmp_path: Path) -> None:
    with exclusive(tmp_path, LABELS) as former:
        pass
    with (
        exclusive(tmp_path, LABELS),
        pytest.raises(StoreError, match="no longer writes to"),
        former.at_work(),
    ):
        pass


def test_jobs_of_a_former_run_that_are_still_at_work_are_waited_for_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 0.1)
    with exclusive(tmp_path, LABELS) as former:
        job = former.at_work()
        job.__enter__()

    with (
        pytest.raises(StoreError, match="workers of an earlier run, which was killed, still write"),
        exclusive(tmp_path, LABELS),
    ):
        pass
    job.__exit__(None, None, None)
    with exclusive(tmp_path, LABELS):
        pass


def test_where_nothing_can_be_locked_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_file: object, _how: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with caplog.at_level(logging.WARNING), exclusive(tmp_path, LABELS) as claim, claim.at_work():
        pass

    assert "cannot be locked; make sure that no other run writes there" in caplog.text


def test_only_unfinished_files_of_the_product_are_swept_away(tmp_path: Path) -> None:
    dead = [
        f".{LABELS}.index.json.0a1b2c3d.partial",
        f"train/a/{LABELS}/.labels.npz.0a1b2c3d.partial",
        f"val/b/{LABELS}/deeper/.labels.npz.77.partial",
    ]
    others = [
        f"train/a/{QUALITY}/.quality.json.0a1b2c3d.partial",
        f"train/a/{LABELS}/labels.npz",
        "train/a/.notes.partial",
    ]
    for name in dead + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    sweep(tmp_path, LABELS)

    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == set(others)

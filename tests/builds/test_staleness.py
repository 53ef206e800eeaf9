"""What counts as a change of what a recording was made of, and how it is told."""

import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from tests.builds.conftest import KEY, Again, CopyJob

from etram_pipeline.builds.build import build
from etram_pipeline.builds.executors import InlineExecutor
from etram_pipeline.builds.job import check_contents
from etram_pipeline.builds.staleness import why_stale
from etram_pipeline.core.fingerprint import FileIdentity
from etram_pipeline.stores.index import Index, Provenance, index_path, read_index, write_index
from etram_pipeline.stores.layout import QUALITY
from etram_pipeline.stores.record import Record


class BetterCopyJob(CopyJob):
    """Says that it makes something else of the same."""

    recipe: ClassVar[str] = "CopyJob 2"


def touch(path: Path) -> None:
    """Change the time of change alone."""
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000_000))


def test_what_never_was_made_is_not_out_of_date(job: CopyJob, again: Again) -> None:
    assert again(job) == []


def test_a_changed_parameter_is_named_with_both_values(job: CopyJob, again: Again) -> None:
    again(job)

    assert again(replace(job, settings=(("step_ms", 25),))) == [
        "parameters: windows.step_ms 50 -> 25"
    ]


def test_new_and_dropped_parameters_are_named(job: CopyJob, again: Again) -> None:
    again(job)

    assert again(replace(job, settings=(("kinds", [1, 2]),))) == [
        "parameters: windows.step_ms 50 -> not set, windows.kinds.0 not set -> 1, "
        "windows.kinds.1 not set -> 2"
    ]


def test_values_are_told_as_configuration_files_write_them(job: CopyJob, again: Again) -> None:
    again(replace(job, settings=(("downsample", "sum"),)))

    assert again(replace(job, settings=(("downsample", None),))) == [
        "parameters: windows.downsample sum -> null"
    ]


def test_of_many_changed_parameters_three_are_named(job: CopyJob, again: Again) -> None:
    again(replace(job, settings=tuple((name, "x" * 90) for name in "abcde")))

    (reason,) = again(replace(job, settings=tuple((name, 1) for name in "abcde")))

    assert reason.startswith(f"parameters: windows.a {'x' * 39}… -> 1, windows.b")
    assert reason.endswith("-> 1, 2 more")


def test_a_changed_recipe_is_named(job: CopyJob, again: Again) -> None:
    again(job)

    assert again(BetterCopyJob(job.path)) == ["recipe CopyJob 1 -> CopyJob 2"]


def test_a_changed_input_is_named(job: CopyJob, again: Again) -> None:
    again(job)
    job.path.write_bytes(b"more events")

    assert again(job) == ["input a.raw: size 6 -> 11"]
    touch(job.path)
    (reason,) = again(job)
    assert reason.startswith("input a.raw: changed on 20")
    other = job.path.rename(job.path.with_name("b.raw"))
    assert again(replace(job, path=other)) == ["input b.raw instead of a.raw"]
    assert again(replace(job, path=other)) == []


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        (("ds2.h5", "times"), ("full.h5", "times"), "input full.h5 instead of ds2.h5"),
        (("times",), ("times", "labels", "times"), "input times, labels is new"),
        (("times", "labels"), ("times",), "input labels is gone"),
        (("times", "labels"), ("labels", "times"), "inputs in another order"),
    ],
)
def test_of_other_inputs_only_those_that_differ_are_named(
    before: tuple[str, ...], now: tuple[str, ...], reason: str
) -> None:
    made, wanted = (
        Provenance(
            recipe="copy 1",
            parameters={},
            inputs=tuple(FileIdentity(name=name, size=1, mtime_ns=1) for name in names),
        )
        for names in (before, now)
    )
    assert why_stale(made, wanted) == reason


def test_without_its_index_a_store_is_still_known_by_its_records(
    job: CopyJob, again: Again, root: Path
) -> None:
    again(job, check=False)
    index_path(root, QUALITY).unlink()

    assert again(job, check=True) == []
    index_path(root, QUALITY).unlink()
    assert again(replace(job, settings=())) == [
        "made with other parameters, by another recipe or of another input"
    ]


def test_what_is_newer_than_the_index_is_kept(job: CopyJob, again: Again, root: Path) -> None:
    """A build that was killed has finished files, and an index from before."""
    again(job)
    before = read_index(root, QUALITY)
    assert before is not None
    newer = replace(job, settings=(("step_ms", 25),))
    again(newer)
    write_index(root, QUALITY, Index(complete=False, recordings=before.recordings))

    assert again(newer) == []


def test_a_missing_file_is_named(job: CopyJob, again: Again, root: Path) -> None:
    again(job)
    (root / KEY / job.outputs[0]).unlink()

    assert again(job) == [f"{job.outputs[0]} is missing"]
    shutil.rmtree(root / KEY)
    assert again(job) == [f"{job.outputs[0]} is missing"]


def test_a_file_of_another_size_is_damaged(job: CopyJob, again: Again, root: Path) -> None:
    again(job)
    (root / KEY / job.outputs[0]).write_bytes(b"")

    assert again(job) == [f"{job.outputs[0]} is damaged, it has 0 bytes instead of 6"]
    assert (root / KEY / job.outputs[0]).read_bytes() == b"events"


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b""])
def test_a_damaged_record_of_ours_is_replaced(
    job: CopyJob, again: Again, root: Path, content: bytes
) -> None:
    again(job)
    (root / KEY / job.outputs[1]).write_bytes(content)

    assert again(job) == [f"{job.outputs[1]} is damaged"]
    assert again(job) == []


def test_what_was_left_unfinished_is_told(job: CopyJob, again: Again, root: Path) -> None:
    again(job)
    record = Record(fingerprint="", settings={})
    (root / KEY / job.outputs[1]).write_text(record.model_dump_json())

    assert again(job) == ["left unfinished"]


def test_a_skipped_recording_is_looked_at_again_when_it_changed(
    job: CopyJob, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def build_skipped(*, check: bool) -> Index:
        jobs = check_contents({KEY: job, "train/b": replace(job, path=other)}, check=check)
        return build(root, QUALITY, jobs, InlineExecutor())

    other = job.path.with_name("b.raw")
    other.write_bytes(b"")
    assert list(build_skipped(check=False).skipped) == ["train/b"]
    assert list(build_skipped(check=True).skipped) == ["train/b"]
    caplog.set_level(logging.INFO)
    caplog.clear()
    assert list(build_skipped(check=True).skipped) == ["train/b"]
    assert "1 of 2 recordings up to date" in caplog.text
    assert "to compute" not in caplog.text
    other.write_bytes(b"events")

    assert build_skipped(check=True).skipped == {}


def test_only_ten_reasons_are_shown(
    job: CopyJob, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = {f"train/{number:02}": job for number in range(13)}
    build(root, QUALITY, jobs, InlineExecutor())
    with caplog.at_level(logging.INFO):
        changed = {key: replace(job, settings=()) for key in jobs}
        build(root, QUALITY, changed, InlineExecutor())

    assert caplog.text.count("is out of date") == 10
    assert "and 3 more are out of date" in caplog.text

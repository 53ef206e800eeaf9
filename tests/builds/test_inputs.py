"""When an input counts as changed: by size and date, or by content."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from tests.builds.conftest import KEY, Again, CopyJob
from tests.builds.test_staleness import touch

from etram_pipeline.builds.build import build
from etram_pipeline.builds.executors import InlineExecutor
from etram_pipeline.builds.staleness import why_stale
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.stores.index import index_path, read_index
from etram_pipeline.stores.layout import QUALITY


class ThoroughCopyJob(CopyJob):
    """Reads its input whole, and has it hashed."""

    reads_whole: ClassVar[bool] = True


def forge(path: Path, content: bytes) -> None:
    """Change the content, and neither size nor time of change."""
    times = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_by_content_a_copy_is_the_same(job: CopyJob, again: Again, root: Path) -> None:
    again(job, check=True)
    before = read_index(root, QUALITY)
    touch(job.path)

    assert again(job, check=True) == []
    after = read_index(root, QUALITY)

    assert before is not None
    assert after is not None
    # So what is trained on it counts as the same as well.
    assert after.recordings[KEY].fingerprint == before.recordings[KEY].fingerprint
    assert again(job, check=False) == []


def test_by_content_a_forged_file_is_another(job: CopyJob, again: Again) -> None:
    again(job, check=True)
    forge(job.path, b"EVENTS")

    assert again(job, check=False) == []
    assert again(job, check=True) == ["input a.raw: its content changed"]


def test_asking_for_hashes_computes_nothing_again(job: CopyJob, again: Again, root: Path) -> None:
    again(job, check=False)

    assert again(job, check=True) == []
    touch(job.path)
    assert again(job, check=True) == []  # because it has been hashed before
    assert again(job, check=False) == []
    index_path(root, QUALITY).unlink()
    touch(job.path)
    assert again(job, check=True) != []  # because that is not known any more


def test_hashes_survive_builds_without_them(job: CopyJob, again: Again) -> None:
    again(job, check=True)
    again(job, check=False)
    touch(job.path)

    assert again(job, check=True) == []


def test_an_input_that_changes_while_it_is_read_fails(
    job: CopyJob, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copyfile = shutil.copyfile

    def copy_and_grow(source: Path, target: Path) -> None:
        copyfile(source, target)
        source.write_bytes(b"still being copied")

    monkeypatch.setattr(shutil, "copyfile", copy_and_grow)
    index = build(root, QUALITY, {KEY: job}, InlineExecutor(), raise_failures=False)
    message = index.failed[KEY].message
    assert message.endswith("changed while it was read: run again when it is complete")

    monkeypatch.undo()
    build(root, QUALITY, {KEY: job}, InlineExecutor())
    assert (root / KEY / job.outputs[0]).read_bytes() == b"still being copied"


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop"])
def test_an_input_that_is_no_file_fails(job: CopyJob, root: Path, kind: str) -> None:
    job.path.unlink()
    if kind == "folder":
        job.path.mkdir()
    elif kind == "pipe":
        os.mkfifo(job.path)
    else:
        job.path.symlink_to(job.path)

    index = build(root, QUALITY, {KEY: job}, InlineExecutor(), raise_failures=False)

    assert index.failed[KEY].message.startswith("an input cannot be read: ")


def test_a_job_has_one_fingerprint_for_one_content(job: CopyJob) -> None:
    by_content = replace(job, check_content=True)
    before, before_by_content = fingerprint(job), fingerprint(by_content)
    touch(job.path)

    assert fingerprint(job) != before
    assert fingerprint(by_content) == before_by_content
    assert why_stale(job.origin(), by_content.origin()) == ""


def test_of_an_input_that_was_read_whole_another_date_alone_does_not_count(
    job: CopyJob, again: Again, root: Path
) -> None:
    thorough = ThoroughCopyJob(job.path)
    again(thorough)
    made = (root / KEY / QUALITY / "copy.bin").stat().st_mtime_ns
    for _ in range(2):
        touch(job.path)
        assert again(thorough) == []
    assert (root / KEY / QUALITY / "copy.bin").stat().st_mtime_ns == made
    index = read_index(root, QUALITY)
    assert index is not None
    origin = index.recordings[KEY].origin
    assert origin is not None
    assert origin.inputs[0].mtime_ns == job.path.stat().st_mtime_ns


def test_of_an_input_that_was_read_whole_another_content_counts(
    job: CopyJob, again: Again, root: Path
) -> None:
    thorough = ThoroughCopyJob(job.path)
    again(thorough)
    job.path.write_bytes(b"others")
    touch(job.path)
    assert again(thorough) == [f"input {job.path.name}: its content changed"]
    assert (root / KEY / QUALITY / "copy.bin").read_bytes() == b"others"


def test_an_input_that_was_not_touched_is_not_read_again(
    job: CopyJob, again: Again, monkeypatch: pytest.MonkeyPatch
) -> None:
    thorough = ThoroughCopyJob(job.path)
    again(thorough)

    def refuse(*_: object) -> str:
        raise AssertionError

    monkeypatch.setattr("etram_pipeline.core.fingerprint.file_digest", refuse)
    assert again(thorough) == []

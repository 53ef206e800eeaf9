import errno
from pathlib import Path

import pytest

from etram_pipeline.core.files import is_out_of_space, out_of_space, written_whole


def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with written_whole(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
        assert partial.parent == path.parent

    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), written_whole(path) as partial:
        partial.write_text("half a \ud800")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    with written_whole(path) as first, written_whole(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")

    assert path.read_text() == "first"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError("Can't write data (file write failed: errno = 28, error message = '…')"),
        RuntimeError("Can't decrement id ref count (unable to close file, errno = 28)"),
        OSError("8192 requested and 4096 written"),
    ],
)
def test_a_full_disk_is_recognised_in_whatever_it_made_fail(error: Exception) -> None:
    assert is_out_of_space(error)
    outer = ValueError("the file could not be written")
    outer.__cause__ = error
    assert is_out_of_space(outer)


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "Permission denied"), ValueError("errno = 28"), None]
)
def test_other_faults_are_no_full_disk(error: Exception | None) -> None:
    assert not is_out_of_space(error)


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    assert f"the disk of {tmp_path} is full (" in out_of_space(tmp_path)

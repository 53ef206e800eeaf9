"""Folders that are replaced as a whole: readers find the old content or all of the new."""

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

_OLD = ".old"
_PARTIAL = ".partial"


def whole_folder(path: Path, mark: str) -> Path | None:
    """The complete folder, which has a file `mark`; None without any.

    If a process was killed while replacing it, this is the old one.
    """
    former = sorted(path.parent.glob(f"{escape(path.name)}{_OLD}*"))
    return next((each for each in (path, *former) if (each / mark).is_file()), None)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder next to `path`, removed at the end unless it was renamed.

    It is locked while it is written. The system releases the lock of a process that was killed.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_PARTIAL}")
    new.mkdir()
    handle = os.open(new, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield new
    finally:
        os.close(handle)
        shutil.rmtree(new, ignore_errors=True)


def sweep(path: Path) -> None:
    """Remove the unfinished folders of processes that were killed."""
    for left in path.parent.glob(f".{escape(path.name)}.*{_PARTIAL}"):
        with suppress(OSError):  # locked, or on a file system without locks
            handle = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)
            finally:
                os.close(handle)


def replace_folder(path: Path, new: Path) -> None:
    """Replace a folder by another one; readers find one of them at any time."""
    while True:
        old = path.with_name(f"{path.name}{_OLD}.{secrets.token_hex(4)}")
        with suppress(FileNotFoundError):
            path.rename(old)
        try:
            new.rename(path)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
            continue  # another process was faster; replace its folder
        break
    for each in path.parent.glob(f"{escape(path.name)}{_OLD}*"):
        if each.is_symlink():
            each.unlink(missing_ok=True)  # what it led to belongs to others
        shutil.rmtree(each, ignore_errors=True)

"""Writing files whole or not at all, and telling a full disk from other faults."""

import errno
import os
import re
import secrets
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

# HDF5, NumPy and PyTorch lose the number of the error, and say only this.
_NO_SPACE_TEXT = re.compile(
    r"errno = (?:28|122|27)\b|\d+ requested and \d+ written|unexpected pos \d+ vs \d+"
)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name only when the block succeeds.

    Whatever happens inside, `path` is either what it was before or what the block wrote, even if
    the machine loses power: then the name may be the old one's, but never that of half a file.

    Yields:
        The path to write to, in the same folder; the folder is made if missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not the number of the process: on a cluster, processes of several machines may share it.
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def is_whole_archive(path: Path) -> bool:
    """Whether all in a ZIP archive, such as a checkpoint of PyTorch, is what was written.

    PyTorch itself does not look at checksums.
    """
    try:
        with zipfile.ZipFile(path) as content:
            return content.testzip() is None
    except (OSError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return False


def is_out_of_space(error: BaseException | None) -> bool:
    """Whether a disk, a quota or a limit that was full is at the bottom of an error."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            return True
        if isinstance(error, OSError | RuntimeError) and _NO_SPACE_TEXT.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def out_of_space(folder: Path) -> str:
    """Message about a disk that is full, naming it by a folder on it."""
    free = shutil.disk_usage(folder).free / 1e6
    return (
        f"the disk of {folder} is full ({free:.1f} MB are free, of which a quota may allow less): "
        "make room, or choose another folder in the catalog, and run again; what is done is kept"
    )

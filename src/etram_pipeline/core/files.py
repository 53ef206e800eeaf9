"""Writing files completely or not at all, and recognising a full disk."""

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

# HDF5, NumPy and PyTorch lose the number of the error and report only these texts.
_NO_SPACE_TEXT = re.compile(
    r"errno = (?:28|122|27)\b|\d+ requested and \d+ written|unexpected pos \d+ vs \d+"
)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that is renamed to `path` only when the block succeeds.

    Whatever happens inside, `path` holds either its former content or all of the new content. This
    is true even after a power failure.

    Yields:
        The path to write to, in the same folder; the folder is created if missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not the process id: on a cluster, processes of several machines may share it.
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def is_whole_archive(path: Path) -> bool:
    """Whether a ZIP archive, such as a checkpoint of PyTorch, is undamaged.

    PyTorch itself does not verify checksums.
    """
    try:
        with zipfile.ZipFile(path) as content:
            return content.testzip() is None
    except (OSError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return False


def is_out_of_space(error: BaseException | None) -> bool:
    """Whether an error was caused by a full disk, a quota or a file size limit."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            return True
        if isinstance(error, OSError | RuntimeError) and _NO_SPACE_TEXT.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def out_of_space(folder: Path) -> str:
    """Message about the full disk on which a folder lies."""
    free = shutil.disk_usage(folder).free / 1e6
    return (
        f"the disk of {folder} is full ({free:.1f} MB are free, of which a quota may allow less): "
        "make room, or choose another folder in the catalog, and run again; what is done is kept"
    )

"""Locks between processes, and the names of their holders.

The operating system releases a lock when its process ends, however it ends. Locks work between
machines as well if the file system supports that, as NFS does on Linux.
"""

import errno
import fcntl
import logging
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from etram_pipeline.core.errors import BusyError

logger = logging.getLogger(__name__)

UNKNOWN_HOLDER = "an unknown process"

_ENDING_S = 0.5
"""How long a process may take to end after a signal."""

_PATIENCE_S = 15.0
"""How long the children of a killed process may take to notice that it is gone."""

_POLL_S = 0.05
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_UNOPENED = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS}
"""Errors of a lock that is not there, or may not be written."""

_HOLDER = re.compile(r"process (\d+) on (\S+) since .+")


@dataclass(frozen=True)
class Access:
    """A file or folder that a process writes, or only reads.

    Attributes:
        path: The file or folder; it need not exist.
        shared: Whether it is only read.
        inside: Whether it is a folder that keeps its lock itself.
    """

    path: Path
    shared: bool = False
    inside: bool = False

    @property
    def lock(self) -> Path:
        """The hidden file that is locked."""
        return (
            self.path / ".lock" if self.inside else self.path.with_name(f".{self.path.name}.lock")
        )


@contextmanager
def held(need: Access, remedy: str) -> Iterator[IO[str] | None]:
    """Hold a lock until the block or the process ends, or be refused at once.

    Reading creates no files: where no process ever wrote under a lock, none is taken.

    Args:
        need: What to lock.
        remedy: What else to do than to wait, for the message.

    Yields:
        The locked file; None where nothing was to lock.

    Raises:
        BusyError: If another process has it; says which.
        OSError: If what is to be written lies where nothing can be written.
    """
    file = _open(need)
    if file is None:
        yield None
        return
    with file:
        _take(file, need, remedy)
        _sign(file, need)
        yield file


def lock(file: IO[str], how: int) -> None:
    """Lock an open file, or warn that its file system has no locks.

    Raises:
        BlockingIOError: If another process has it, and `how` says not to wait.
    """
    try:
        fcntl.flock(file, how)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        logger.warning("%s cannot be locked; make sure that no other run writes there", file.name)


def signature() -> str:
    """Name of this process, for the message to others that are refused."""
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"process {os.getpid()} on {socket.gethostname()} since {now}"


def _open(need: Access) -> IO[str] | None:
    if not need.shared:
        need.lock.parent.mkdir(parents=True, exist_ok=True)
        return need.lock.open("a+")  # emptied only when locked: it says who holds it
    for mode in ("r+", "r"):  # who may not write can still lock, but does not say so
        try:
            return need.lock.open(mode)
        except OSError as error:
            if error.errno not in _UNOPENED:
                raise
    return None


def _take(file: IO[str], need: Access, remedy: str) -> None:
    how = (fcntl.LOCK_SH if need.shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    started = time.monotonic()
    while True:
        try:
            lock(file, how)
        except BlockingIOError as error:
            holders = _holders(need.lock)
            was_killed = bool(holders) and not any(map(_may_live, holders))
            if time.monotonic() - started > (_PATIENCE_S if was_killed else _ENDING_S):
                raise BusyError(_refusal(need, holders, remedy)) from error
            time.sleep(_POLL_S)
        else:
            return


def _refusal(need: Access, holders: list[str], remedy: str) -> str:
    living = list(filter(_may_live, holders))
    left = f"what {', '.join(holders)} started before it ended" if holders else UNKNOWN_HOLDER
    who = ", ".join(living) or left
    purpose = "reads" if need.shared else "writes"
    return f"another run is using {need.path}, which this one {purpose} ({who}): {remedy}"


def _sign(file: IO[str], need: Access) -> None:
    """Write the holder into the file; a reader adds itself to the other readers."""
    if not file.writable():
        return
    others = filter(_may_live, _holders(need.lock)) if need.shared else ()
    text = "".join(f"{line}\n" for line in [*others, signature()])
    with suppress(OSError):
        file.truncate(0)
        file.write(text)
        file.flush()


def _holders(path: Path) -> list[str]:
    with suppress(OSError):
        return [line for line in path.read_text().splitlines() if _HOLDER.fullmatch(line)]
    return []


def _may_live(holder: str) -> bool:
    """Whether a process may still be there; of another machine nothing is known."""
    found = _HOLDER.fullmatch(holder)
    if found is None or found[2] != socket.gethostname():
        return True
    try:
        os.kill(int(found[1]), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True

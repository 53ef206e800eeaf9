"""Locks between processes, which name their holders.

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
"""How long the children of a killed process may take to notice its end."""

_POLL_S = 0.05
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_UNOPENED = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS}
_UNOPENED |= {errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
"""Errors of a lock file that does not exist or may not be written."""

_HOLDER = re.compile(r"process (\d+) on (\S+) since .+")


@dataclass(frozen=True)
class Access:
    """A file or folder that a process writes or reads.

    Attributes:
        path: The file or folder; it need not exist.
        shared: Whether it is only read, so that several processes may read it at once.
        inside: Whether it is a folder that contains its own lock file.
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
def held(access: Access, remedy: str) -> Iterator[IO[str] | None]:
    """Hold a lock until the block or the process ends; fails at once if it is taken.

    Reading creates no files: where no process ever wrote under a lock, no lock is taken.

    Args:
        access: What to lock, and for what.
        remedy: What to do instead of waiting, for the message.

    Yields:
        The locked file; None where there was nothing to lock.

    Raises:
        BusyError: If another process holds it; names the process.
        OSError: If the lock file cannot be written.
    """
    file = _open(access)
    if file is None:
        yield None
        return
    with file:
        _take(file, access, remedy)
        _sign(file, access)
        yield file


def is_held(access: Access) -> bool:
    """Whether a process holds a lock that `access` would have to wait for."""
    file = _open(Access(access.path, shared=True, inside=access.inside))
    if file is None:
        return False
    with file:
        try:
            lock(file, (fcntl.LOCK_SH if access.shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def lock(file: IO[str], how: int) -> None:
    """Lock an open file; logs a warning if the file system does not support locks.

    Raises:
        BlockingIOError: If another process holds it and `how` says not to wait.
    """
    try:
        fcntl.flock(file, how)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        logger.warning("%s cannot be locked; make sure that no other run writes there", file.name)


def signature() -> str:
    """Name of this process, for the messages of processes that do not get the lock."""
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"process {os.getpid()} on {socket.gethostname()} since {now}"


def _open(access: Access) -> IO[str] | None:
    if not access.shared:
        access.lock.parent.mkdir(parents=True, exist_ok=True)
        return access.lock.open("a+")  # emptied only when locked: it names the holder
    for mode in ("r+", "r"):  # without permission to write, lock without a signature
        try:
            return access.lock.open(mode)
        except OSError as error:
            if error.errno not in _UNOPENED:
                raise
    return None


def _take(file: IO[str], access: Access, remedy: str) -> None:
    how = (fcntl.LOCK_SH if access.shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    started = time.monotonic()
    while True:
        try:
            lock(file, how)
        except BlockingIOError as error:
            holders = _holders(access.lock)
            was_killed = bool(holders) and not any(map(_may_live, holders))
            if time.monotonic() - started > (_PATIENCE_S if was_killed else _ENDING_S):
                raise BusyError(_refusal(access, holders, remedy)) from error
            time.sleep(_POLL_S)
        else:
            return


def _refusal(access: Access, holders: list[str], remedy: str) -> str:
    living = list(filter(_may_live, holders))
    left = f"what {', '.join(holders)} started before it ended" if holders else UNKNOWN_HOLDER
    who = ", ".join(living) or left
    purpose = "reads" if access.shared else "writes"
    return f"another run is using {access.path}, which this one {purpose} ({who}): {remedy}"


def _sign(file: IO[str], access: Access) -> None:
    """Write the holder into the file; a reader adds itself to the other readers."""
    if not file.writable():
        return
    others = filter(_may_live, _holders(access.lock)) if access.shared else ()
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
    """Whether a process may still run; processes of other machines count as running."""
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

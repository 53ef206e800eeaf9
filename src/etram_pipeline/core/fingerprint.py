"""A stable hash of a computation, by which its result is recognised later."""

import functools
import hashlib
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from etram_pipeline.core.component import Settings


@runtime_checkable
class Fingerprinted(Protocol):
    """An object that defines what identifies it."""

    def __fingerprint__(self) -> object:
        """Plain data that changes exactly when the object changes."""


def fingerprint(value: object) -> str:
    """Sixteen hexadecimal digits that change when `value` would compute something else.

    Parameters are identified by content, files by name, size and time of change. Functions and
    classes are refused, because the names of modules and classes must be free to change.

    Raises:
        TypeError: If `value` holds an object that cannot be identified.
    """
    text = json.dumps(_describe(value), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def plain(value: Mapping[str, object]) -> dict[str, Any]:
    """Parameters as they are after being written as JSON and read again."""
    parameters: dict[str, Any] = json.loads(json.dumps(_describe(value)))
    return parameters


class FileIdentity(Settings):
    """What identifies a file.

    Attributes:
        name: Its name, without the folder.
        size: In bytes.
        mtime_ns: Time of change, in nanoseconds.
        digest: Hash of the content; empty where it was not requested.
    """

    name: str
    size: int
    mtime_ns: int
    digest: str = ""

    def __fingerprint__(self) -> object:
        return [self.name, self.size, self.digest or self.mtime_ns]


def file_identity(path: Path, *, content: bool = False) -> FileIdentity:
    """What identifies a file: size and time of change, and on request its content.

    Size and time cost nothing and suffice unless someone forges them. Hashing the content reads the
    whole file once per run.

    Raises:
        OSError: If it cannot be read, or is not a regular file.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(f"{path} is not a file")
    digest = _digest(path, found.st_size, found.st_mtime_ns, found.st_ctime_ns) if content else ""
    return FileIdentity(
        name=path.name, size=found.st_size, mtime_ns=found.st_mtime_ns, digest=digest
    )


@functools.lru_cache(maxsize=10_000)
def _digest(path: Path, _size: int, _mtime_ns: int, _ctime_ns: int) -> str:
    # Programs cannot set ctime, so it is reliable within a run.
    return file_digest(path)


def file_digest(path: Path) -> str:
    """Hash of a file's content, sixteen hexadecimal digits; empty if the file does not exist."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _describe(value: object) -> object:
    if isinstance(value, Fingerprinted):
        return _describe(value.__fingerprint__())
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", serialize_as_any=True)
    if isinstance(value, Mapping):
        return {str(key): _describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_describe(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"cannot fingerprint {type(value).__name__}; give it a __fingerprint__ method")

"""A stable hash of what a computation would do, so that its result can be recognised later."""

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import Protocol, runtime_checkable

from pydantic import BaseModel


@runtime_checkable
class Fingerprinted(Protocol):
    """Something that says itself what identifies it."""

    def __fingerprint__(self) -> object:
        """Plain data that changes exactly when the thing does."""


def fingerprint(value: object) -> str:
    """Sixteen hexadecimal digits that change when `value` would compute something else.

    Functions count by name and by their attribute `recipe`, which is raised when the same
    arguments give other results; parameters by content; files by name, size and time of change.

    Raises:
        TypeError: If `value` holds something that does not say what identifies it.
    """
    text = json.dumps(_describe(value), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_identity(path: Path) -> list[object]:
    """Name, size and time of change of a file: cheap, and enough unless someone forges it."""
    stat = path.stat()
    return [path.name, stat.st_size, stat.st_mtime_ns]


def file_digest(path: Path) -> str:
    """Sixteen hexadecimal digits of a file's content; empty where there is no such file."""
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
    return _describe_code(value)


def _describe_code(value: object) -> object:
    if isinstance(value, functools.partial):
        return [_describe(value.func), _describe(value.args), _describe(value.keywords)]
    if isinstance(value, type | FunctionType):
        return [f"{value.__module__}.{value.__qualname__}", getattr(value, "recipe", 0)]
    raise TypeError(f"cannot fingerprint {type(value).__name__}; give it a __fingerprint__ method")

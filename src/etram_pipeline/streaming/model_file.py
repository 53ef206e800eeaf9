"""Files of exported detectors: an ONNX model, its description, and a checksum of both.

What is needed of the format is read here, without ONNX Runtime: a model is a list of fields, and
its metadata are those of number 14. Description and checksum are appended to the bytes of a model,
which is how Protocol Buffers add to a list.

Source: onnx/onnx.proto (`ModelProto`), and https://protobuf.dev/programming-guides/encoding.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from etram_pipeline.core.errors import ExportError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.validation_errors import describe_errors
from etram_pipeline.streaming.description import FORMAT, METADATA_KEY, Description

CHECKSUM_KEY = "etram_sha256"
"""Name of the metadata property that holds the SHA-256 of all bytes before it."""

AGAIN = "export it again with `kedro run --pipelines deploy`"
"""What helps against damage."""

_VERSION = re.compile(rb"\x08[\x03-\x7f][\x12\x1a\x22\x28\x32\x3a\x42\x72]")
"""The version of the format, with which an ONNX file begins, and the tag of the next field."""

_MORE = 0x80
"""Set in each byte of a number but the last."""

_METADATA, _KEY, _VALUE = 14, 1, 2
_VARINT, _LENGTH = 0, 2
_FIXED = {1: 8, 5: 4}
"""Bytes of a value, by wire type."""


@dataclass(frozen=True)
class ModelFile:
    """The content of a file.

    Attributes:
        description: What the detector says about itself.
        content: All bytes of the file, which are an ONNX model.
    """

    description: Description
    content: bytes


def is_onnx(path: Path) -> bool:
    """Whether a file begins like an ONNX model; False where there is no file."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        first = file.read(3)
    return _VERSION.fullmatch(first) is not None


def read_description(path: Path) -> Description:
    """What an exported detector says about itself.

    Raises:
        ExportError: As `read_model_file`.
    """
    return read_model_file(path).description


def read_model_file(path: Path) -> ModelFile:
    """An exported detector, whose checksum was found to fit.

    A file without a checksum is read as it is: programs that change models may drop it.

    Raises:
        ExportError: If the file is missing, a folder, damaged, no ONNX file, an ONNX file of
            another origin, or of a newer version of the project.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise ExportError(f"{path} {what}: give the file of an exported detector")
    if not is_onnx(path):
        raise ExportError(
            f"{path} is not an ONNX file, or its beginning is damaged: give the file of an "
            f"exported detector, or {AGAIN}"
        )
    content = path.read_bytes()
    try:
        metadata = _checked_metadata(content)
    except ValueError as error:
        raise ExportError(f"{path} is damaged, {error}: fetch it again, or {AGAIN}") from error
    if METADATA_KEY not in metadata:
        raise ExportError(
            f"{path} is an ONNX file, but not one of this project, which describe themselves: "
            "export a detector with `kedro run --pipelines deploy`"
        )
    return ModelFile(_describe(path, metadata[METADATA_KEY]), content)


def write_model_file(path: Path, model: bytes, description: Description) -> None:
    """Write an exported detector, whole or not at all.

    Args:
        path: The file; its folder is created if missing.
        model: A serialised ONNX model; a description and a checksum that it has are replaced.
        description: What it says about itself.
    """
    kept = [
        model[field.start : field.stop]
        for field in _fields(model)
        if _entry_of(field).get(_KEY) not in {METADATA_KEY, CHECKSUM_KEY}
    ]
    body = b"".join([*kept, _entry(METADATA_KEY, _as_json(description))])
    with written_whole(path) as partial:
        partial.write_bytes(body + _entry(CHECKSUM_KEY, hashlib.sha256(body).hexdigest()))


def _as_json(description: Description) -> str:
    return description.model_dump_json(serialize_as_any=True)


def _describe(path: Path, text: str) -> Description:
    try:
        plain: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{path} is damaged, its description is no JSON: {AGAIN}") from error
    found = plain.get("format") if isinstance(plain, dict) else None
    if isinstance(found, int) and found > FORMAT:
        raise ExportError(
            f"{path} has the format {found}, which is newer than this version of the project, "
            f"which reads up to {FORMAT}: update the project, or {AGAIN}"
        )
    try:
        return Description.model_validate(plain)
    except ValidationError as error:
        raise ExportError(
            f"the description of {path} is not known to this version of the project: "
            f"{'; '.join(describe_errors(error))}; {AGAIN}"
        ) from error


def _checked_metadata(content: bytes) -> dict[str, str]:
    """The metadata of a model, whose checksum fits if it has one.

    Raises:
        ValueError: If it does not fit, or fields end in the middle.
    """
    metadata: dict[str, str] = {}
    for field in _fields(content):
        entry = _entry_of(field)
        if _KEY not in entry:
            continue
        key, value = entry[_KEY], entry.get(_VALUE, "")
        if key == CHECKSUM_KEY:
            is_last = field.stop == len(content)
            if not is_last or hashlib.sha256(content[: field.start]).hexdigest() != value:
                raise ValueError("or was changed by another program: its checksum does not fit")
        metadata[key] = value
    return metadata


@dataclass(frozen=True)
class _Field:
    """A field of a message.

    Attributes:
        number: What it means.
        start: Its first byte.
        stop: The byte after its last one.
        content: Its value, if it has a length of its own.
    """

    number: int
    start: int
    stop: int
    content: bytes | memoryview = b""


def _fields(message: bytes | memoryview) -> Iterator[_Field]:
    """The fields of a message, one after another.

    Raises:
        ValueError: If one ends after the message, or is of an unknown type.
    """
    view, place = memoryview(message), 0
    while place < len(view):
        start = place
        tag, place = _varint(view, place)
        number, wire_type = tag >> 3, tag & 7
        value = place
        if wire_type == _VARINT:
            _, place = _varint(view, place)
        elif wire_type == _LENGTH:
            length, value = _varint(view, place)
            place = value + length
        elif wire_type in _FIXED:
            place += _FIXED[wire_type]
        else:
            raise ValueError(f"with an unknown kind of field at byte {start}")
        if place > len(view):
            raise ValueError(f"its end is missing from byte {len(view)} on")
        content = view[value:place] if wire_type == _LENGTH else b""
        yield _Field(number, start, place, content)


def _entry_of(field: _Field) -> dict[int, str]:
    """Key and value of a metadata property; empty for any other field."""
    if field.number != _METADATA:
        return {}
    return {part.number: bytes(part.content).decode() for part in _fields(field.content)}


def _varint(view: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place after it."""
    value = 0
    for number, byte in enumerate(view[place : place + 10]):
        value |= (byte & 0x7F) << (7 * number)
        if byte < _MORE:
            return value, place + number + 1
    raise ValueError(f"a number at byte {place} does not end")


def _as_varint(value: int) -> bytes:
    """A number as `_varint` reads it."""
    groups = bytearray()
    while value >= _MORE:
        groups.append(value & 0x7F | _MORE)
        value >>= 7
    return bytes([*groups, value])


def _entry(key: str, value: str) -> bytes:
    """A metadata property as a field of a model."""
    parts = b"".join(
        _with_length(number, text.encode()) for number, text in ((_KEY, key), (_VALUE, value))
    )
    return _with_length(_METADATA, parts)


def _with_length(number: int, content: bytes) -> bytes:
    return _as_varint(number << 3 | _LENGTH) + _as_varint(len(content)) + content

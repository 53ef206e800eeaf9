"""Recordings as text: one line per event, with the unit of the times stated at the top."""

import logging
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import UInt8
from typing_extensions import override

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import LARGEST_SIZE
from etram_pipeline.events.formats.cleaning import Columns
from etram_pipeline.events.formats.fields import NAMES, check_order, find_unit, match_fields
from etram_pipeline.events.formats.indexed import Block, IndexedRecording
from etram_pipeline.events.formats.sensor_size import known_size, stated_size

logger = logging.getLogger(__name__)

_LARGEST_HEADER_BYTES = 2**16
_BLOCK_BYTES = 2**21
_LEAST_LINE_BYTES = 8
_SHOWN_CHARACTERS = 60
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
CONTROL_CODES = frozenset(range(ord(" "))) - set(b"\t\r\n")
"""Bytes that do not occur in text."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_UNIT = re.compile(r"\bunits?\b[\s:=]*(?:(?:is|are|of|the|times?|timestamps?)\b[\s:=]*)*([a-zµμ]+)")
_GEOMETRY = re.compile(r"\b(?:geometry|size|resolution)\b\D*(\d{1,5})\s*[x, ]\s*(\d{1,5})\b")
_WIDTH_AND_HEIGHT = re.compile(r"(\d{1,5})\s*[\s,;]\s*(\d{1,5})")
"""First line of the text files of ESIM and E2VID. Source: uzh-rpg/rpg_e2vid."""
_NAME_THEM = "name the columns in a line before them, such as `x y t p`"
_IN_ORDER = tuple(range(len(NAMES)))
_EXPONENTS = {"s": 6, "ms": 3, "us": 0, "ns": 0}
_NS_PER_US = 1000


class TextHeader(NamedTuple):
    """Header of a text file.

    Attributes:
        columns: Index in `NAMES` of each value of a line; -1 for values that are ignored.
        start: Byte at which the first event begins.
        unit: Unit of the times; None if it is not stated.
        size: Height and width of the sensor in px; None if they are not stated.
        has_names: Whether a line names the columns.
        first_line: The line of the first event; empty if there is none.
    """

    columns: tuple[int, ...]
    start: int
    unit: str | None = None
    size: tuple[int, int] | None = None
    has_names: bool = False
    first_line: str = ""


class TextRecording(IndexedRecording):
    """Lines of `t x y p`, or of the columns named in a line at the top.

    Args:
        path: The file.
        header: Its header.
        size: Height and width of the sensor in px, used if the file does not state them.
    """

    stored_name: ClassVar[str] = "TextRecording"

    def __init__(self, path: Path, header: TextHeader, size: tuple[int, int] | None) -> None:
        if header.unit is None:
            raise RecordingError(f"{path}: {_ask_for_unit(path, header)}")
        super().__init__(path, start=(header.start,))
        self.height, self.width = known_size(path, header.size, size)
        self._header = header
        self._unit = header.unit

    @property
    @override
    def _blocks_recipe(self) -> list[object]:
        return [*super()._blocks_recipe, self._header.columns, self._unit, _BLOCK_BYTES]

    @override
    def _decode(self, block: int, state: tuple[int, ...]) -> Iterator[Block]:
        # Numba takes a second to import, which opening a file must not require.
        from etram_pipeline.events.formats.text_numbers import FAULTS, LineFormat, parse_lines

        columns = np.array(self._header.columns, np.int64)
        is_time = columns == NAMES.index("t")
        line_format = LineFormat(
            columns,
            exponents=np.where(is_time, _EXPONENTS[self._unit], 0).astype(np.int64),
            are_whole=(~is_time).astype(np.uint8),
        )
        values = np.empty((_BLOCK_BYTES // _LEAST_LINE_BYTES + 1, len(NAMES)), np.int64)
        for position, lines in self._lines(*state):
            count, fault, begin = parse_lines(lines, line_format, values)
            if fault:
                rest = bytes(lines[begin:])
                self._check_ends(rest)
                if b"\n" in rest or not self._is_end(position + len(lines), lines):
                    raise RecordingError(
                        f"{self.path}: the line at byte {position + begin}, "
                        f"{_shown(rest)!r}, {FAULTS[fault]}; columns are "
                        f"{self._names()}: correct the line, or name the columns in a first line"
                    )
                self._ignore(len(rest))
            t, x, y, polarity = (values[:count, column].copy() for column in range(len(NAMES)))
            if position == self._header.start and not self._header.has_names:
                check_order(self.path, [t, x, y, polarity], _NAME_THEM)
            t_us = t // _NS_PER_US if self._unit == "ns" else t
            yield Block(Columns(x, y, t_us, polarity), (position + len(lines),))

    def _lines(self, position: int) -> Iterator[tuple[int, UInt8[np.ndarray, " B"]]]:
        """Blocks of whole lines from a position on, each with its position."""
        try:
            with self.path.open("rb") as file:
                file.seek(position)
                while content := file.read(_BLOCK_BYTES):
                    end = content.rfind(b"\n") + 1
                    if len(content) < _BLOCK_BYTES:
                        end = len(content)
                    elif end == 0:
                        raise RecordingError(
                            f"{self.path}: the line at byte {position} is longer than "
                            f"{_BLOCK_BYTES} bytes, so this is not text with one line per event"
                        )
                    yield position, np.frombuffer(content, np.uint8, end)
                    position += end
                    file.seek(position)
        except OSError as error:
            raise RecordingError(f"{self.path}: cannot be read: {error}") from error

    def _check_ends(self, rest: bytes) -> None:
        """Refuse lines that end with a carriage return only: the parser takes them for one line."""
        if b"\r" in rest.partition(b"\n")[0].rstrip():
            raise RecordingError(
                f"{self.path}: lines end with carriage returns only, as on old Macintoshes; "
                "convert them to line feeds, for example with `tr '\\r' '\\n'`"
            )

    def _is_end(self, position: int, lines: UInt8[np.ndarray, " B"]) -> bool:
        return len(lines) > 0 and position >= self.path.stat().st_size

    def _ignore(self, num_bytes: int) -> None:
        self.num_bytes_ignored = num_bytes
        logger.warning(
            "%s: the last %d bytes are an incomplete line and are ignored; was the recording cut "
            "off?",
            self.path,
            num_bytes,
        )

    def _names(self) -> str:
        return " ".join(NAMES[row] if row >= 0 else "…" for row in self._header.columns)


def read_text_header(path: Path) -> TextHeader | None:
    """The header of a text file with events; None if it holds no events.

    Raises:
        RecordingError: If it states a size that no sensor has, or names event columns but does not
            continue with numbers.
    """
    with path.open("rb") as file:
        content = file.read(_LARGEST_HEADER_BYTES)
    header: TextHeader | None = TextHeader(_IN_ORDER, start=0)
    for line in content.splitlines(keepends=True):
        text = _decode(line.removeprefix(_BYTE_ORDER_MARK))
        if text is None or header is None:
            return None
        if _is_of_numbers(text) and not _is_size(header, text):
            start = header.start + len(_BYTE_ORDER_MARK) * line.startswith(_BYTE_ORDER_MARK)
            holds_events = header.has_names or len(_split(text)) == len(NAMES)
            return header._replace(first_line=text, start=start) if holds_events else None
        start = header.start + len(line)
        header = _with_line(header, text, path)
        header = header._replace(start=start) if header else None
    return header if header and (header.has_names or header.unit) else None


def _decode(line: bytes) -> str | None:
    """A line as text; None if it is not text."""
    try:
        return None if set(line) & CONTROL_CODES else line.decode().strip()
    except UnicodeDecodeError:
        return None


def _is_of_numbers(text: str) -> bool:
    return bool(text) and all(map(_NUMBER.fullmatch, _split(text)))


def _is_size(header: TextHeader, text: str) -> bool:
    """Whether a line of two numbers states width and height instead of an event."""
    sides = _WIDTH_AND_HEIGHT.fullmatch(text)
    if sides is None or header.size is not None or header.has_names:
        return False
    return all(1 <= int(side) <= LARGEST_SIZE for side in sides.groups())


def _with_line(header: TextHeader, text: str, path: Path) -> TextHeader | None:
    """The header extended by a line; None if the line does not belong to a header."""
    sides = _WIDTH_AND_HEIGHT.fullmatch(text)
    if sides is not None:
        return header._replace(size=(int(sides[2]), int(sides[1])))
    found = _match_columns(text.lstrip("#% "))
    if found is not None:
        columns, unit = found
        return header._replace(columns=columns, unit=unit or header.unit, has_names=True)
    if header.has_names and text and not text.startswith(("#", "%")):
        raise RecordingError(
            f"{path}: after the names of the columns, the line {text[:_SHOWN_CHARACTERS]!r} holds "
            "a value that is not a number: write all columns as numbers, polarity as 0 and 1"
        )
    if text and not text.startswith(("#", "%", "sep=")):
        return None
    unit = _stated_unit(text) or header.unit
    return header._replace(unit=unit, size=_stated_size(path, text) or header.size)


def _split(text: str) -> list[str]:
    """Values or names in a line; names may contain spaces if commas or tabs separate them."""
    separators = r"[,;\t]" if re.search(r"[,;\t]", text) else r"\s+"
    return [part.strip().strip("\"'") for part in re.split(separators, text.rstrip(",; \t"))]


def _match_columns(text: str) -> tuple[tuple[int, ...], str | None] | None:
    names = _split(text)
    fields = match_fields(names)
    if fields is None or len(names) > 2 * len(NAMES) or {"w", "h"} <= set(names):
        return None
    row_of = {fields.names[name]: row for row, name in enumerate(NAMES)}
    return tuple(row_of.get(name, -1) for name in names), fields.unit


def _stated_unit(text: str) -> str | None:
    stated = _UNIT.search(text.lower())
    return find_unit(stated[1]) if stated else None


def _stated_size(path: Path, text: str) -> tuple[int, int] | None:
    stated = _GEOMETRY.search(text.lower())
    if stated is None:
        return None
    return stated_size(path, f"the line {text[:_SHOWN_CHARACTERS]!r}", stated[2], stated[1])


def _ask_for_unit(path: Path, header: TextHeader) -> str:
    names = " ".join(NAMES[row] if row >= 0 else "…" for row in header.columns)
    likely = "s" if re.search(r"\d\.\d", header.first_line.split(" ")[0]) else "us"
    return (
        f"text with events ({names}), but the unit of the times is not stated; write a line "
        f"`# unit: {likely}` (or ns, us, ms, s; whichever is right) at its top, for example with "
        f"`sed -i '1i # unit: {likely}' {shlex.quote(str(path))}`, or name the column t_ns, t_us, "
        "t_ms or t_s"
    )


def _shown(line: bytes) -> str:
    text = line[:_SHOWN_CHARACTERS].split(b"\n")[0]
    return text.decode("utf-8", "replace").strip()

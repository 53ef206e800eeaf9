"""The text header of Prophesee's RAW and DAT files."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.sensor_size import known_size, stated_size, whole_number

_LARGEST_HEADER_BYTES = 2**16

_VGA = (480, 640)
_HD = (720, 1280)
_SIZE_OF_SYSTEM: Mapping[int, tuple[int, int]] = {
    **dict.fromkeys((0x15, 0x17, 0x19, 0x1C, 0x1D, 0x21, 0x22, 0x23), _VGA),
    **dict.fromkeys((0x28, 0x29, 0x97, 0x99, 0xA1, 0xA2), _VGA),
    **dict.fromkeys((0x1A, 0x1E, 0x1F, 0x27, 0x2E, 0x30, 0x31, 0x32), _HD),
}
"""Height and width of the sensor of cameras whose recordings may not state them.

Source: prophesee-ai/openeb, hal_psee_plugins/src/boards/rawfile/psee_raw_file_header.cpp and
include/devices/utils/device_system_id.h.
"""

_EVT3_SYSTEMS = {0x1E, 0x28, 0x2E, 0x30, 0x31, 0x32}
"""Cameras that wrote EVT3 before headers stated the encoding; the others above wrote EVT2."""

_FIRST_SYSTEM_IN_ORDER = 0x37
"""First camera that writes EVT2.1 words with their halves in order."""


@dataclass(frozen=True)
class Header:
    """Header of a RAW or DAT file.

    Attributes:
        path: The file.
        fields: The rest of each line, by its first word in lower case.
        num_bytes: Length of the header, after which the data begins.
    """

    path: Path
    fields: Mapping[str, str]
    num_bytes: int

    @property
    def format_name(self) -> str | None:
        """Encoding of a RAW file by its current name, such as `EVT3`; None for other files."""
        if "format" in self.fields:
            return _encoding_name(self.fields["format"].partition(";")[0])
        if "evt" in self.fields:
            return _encoding_name(f"EVT{self.fields['evt']}")
        if "data" not in self.fields and self._system in _SIZE_OF_SYSTEM:
            return "EVT3" if self._system in _EVT3_SYSTEMS else "EVT2"
        return None

    @property
    def endianness(self) -> str:
        """Order of the halves of a word in a RAW file: `little`, or `legacy` if they are swapped.

        Only EVT2.1 words were ever written swapped. If the header does not state the order, it is
        that of cameras before the GenX320, which swapped the halves.
        """
        stated = self._format_options().get("endianness") or self.fields.get("endianness")
        if stated or self.format_name != "EVT21":
            return stated or "little"
        is_old = "format" not in self.fields or 0 < self._system < _FIRST_SYSTEM_IN_ORDER
        return "legacy" if is_old else "little"

    @property
    def date(self) -> datetime | None:
        """Clock time at which the recording began; None without a line `Date` that states one."""
        try:
            return datetime.fromisoformat(self.fields.get("date", ""))
        except ValueError:
            return None

    def sensor_size(self, otherwise: tuple[int, int] | None) -> tuple[int, int]:
        """Height and width of the sensor in px: those of the header, else those given.

        Args:
            otherwise: Height and width in px for headers that do not state them.

        Raises:
            RecordingError: If the header contradicts itself, or no size is known.
        """
        stated = {size for size in (self._format_size(), self._geometry(), self._lines()) if size}
        if len(stated) > 1:
            raise RecordingError(
                f"{self.path}: the header gives two sizes of the sensor, {sorted(stated)} (height, "
                "width); correct the lines `format` and `geometry` to agree"
            )
        size = stated.pop() if stated else _SIZE_OF_SYSTEM.get(self._system)
        return known_size(self.path, size, otherwise)

    def _format_options(self) -> dict[str, str]:
        options = self.fields.get("format", "").split(";")[1:]
        return dict(option.strip().partition("=")[::2] for option in options)

    def _format_size(self) -> tuple[int, int] | None:
        options = self._format_options()
        return self._size(options.get("height"), options.get("width"), "format")

    def _geometry(self) -> tuple[int, int] | None:
        if "geometry" not in self.fields:
            return None
        width, _, height = self.fields["geometry"].lower().partition("x")
        return self._size(height, width, "geometry")

    def _lines(self) -> tuple[int, int] | None:
        return self._size(self.fields.get("height"), self.fields.get("width"), "height and width")

    @property
    def _system(self) -> int:
        """System id of the Prophesee camera that wrote the file; 0 if unknown."""
        makers = {value for key, value in self.fields.items() if key.endswith("integrator_name")}
        system = self.fields.get("system_id", "")
        return whole_number(system) if makers <= {"Prophesee"} else 0

    def _size(self, height: str | None, width: str | None, line: str) -> tuple[int, int] | None:
        return stated_size(self.path, f"the header's {line}", height, width)


def read_header(path: Path) -> Header:
    """Read the header of a RAW or DAT file.

    It ends with a line `% end`, which old files lack, or before the first line that is not a
    comment of printable text.
    """
    with path.open("rb") as file:
        text = file.read(_LARGEST_HEADER_BYTES)
    fields: dict[str, str] = {}
    position = 0
    while text.startswith(b"%", position):
        line, newline, _ = text[position:].partition(b"\n")
        content = line[1:].strip()
        if not newline or not _is_text(line):
            break
        position += len(line) + 1
        if content == b"end":
            break
        key, _, value = content.decode("latin-1").partition(" ")
        fields.setdefault(key.lower(), value.strip())
    return Header(path, fields, position)


def _encoding_name(text: str) -> str:
    """`EVT3` for `evt 3.0`, `EVT21` for `EVT2.1`."""
    name = text.strip().upper().replace(" ", "")
    return name.removesuffix(".0").replace(".", "") if name.startswith("EVT") else name


def _is_text(line: bytes) -> bool:
    return line[:2] in {b"% ", b"%"} and min(line.strip().replace(b"\t", b" ")) >= ord(" ")

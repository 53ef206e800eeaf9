"""Reads single fields of FlatBuffers, with every offset checked.

Source: FlatBuffers internals, flatbuffers.dev: a table begins with the distance back to a list of
the offsets of its fields from the beginning of the table; 0 marks a missing field.
"""

import struct


class FlatBufferError(ValueError):
    """An offset lies outside the buffer."""


class FlatBufferTable:
    """The root table of a buffer.

    Args:
        buffer: The bytes, which begin with the distance to the root table.
    """

    def __init__(self, buffer: memoryview) -> None:
        self._buffer = buffer
        self._position = self._number("<I", 0)
        self._fields = self._position - self._number("<i", self._position)
        self._fields_end = self._fields + self._number("<H", self._fields)

    def number(self, field: int, kind: str, default: int) -> int:
        """A numeric field, in a format of `struct`.

        Args:
            field: Index of the field in the table.
            kind: Format of the number, as in `struct`.
            default: Value of a missing field.

        Raises:
            FlatBufferError: If an offset lies outside the buffer.
        """
        position = self._find(field)
        return default if position is None else self._number(kind, position)

    def vector(self, field: int, item_bytes: int) -> memoryview:
        """The bytes of a vector field with items of a given size; empty if the field is missing.

        Raises:
            FlatBufferError: If an offset lies outside the buffer.
        """
        position = self._find(field)
        if position is None:
            return self._buffer[:0]
        position += self._number("<I", position)
        num_bytes = self._number("<I", position) * item_bytes
        first = position + 4
        if first + num_bytes > len(self._buffer):
            raise FlatBufferError(
                f"{num_bytes} bytes from byte {first} on do not fit into {len(self._buffer)}"
            )
        return self._buffer[first : first + num_bytes]

    def _find(self, field: int) -> int | None:
        entry = self._fields + 4 + 2 * field
        offset = self._number("<H", entry) if entry + 2 <= self._fields_end else 0
        return self._position + offset if offset else None

    def _number(self, kind: str, position: int) -> int:
        if not 0 <= position <= len(self._buffer) - struct.calcsize(kind):
            raise FlatBufferError(
                f"byte {position} lies outside the buffer of {len(self._buffer)} bytes"
            )
        number: int = struct.unpack_from(kind, self._buffer, position)[0]
        return number

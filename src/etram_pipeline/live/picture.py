"""Small pictures of events for a browser."""

import struct
import zlib

import numpy as np
from jaxtyping import Float32, Integer, UInt8

from etram_pipeline.drawing import palette
from etram_pipeline.events.polarity import count_polarities

_LEVELS = 5
_SHADES = 3
"""Falling, as much of either, rising: with five levels each, and no event, 16 colours."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BITS, _PALETTE_COLOUR = 4, 3
_HALF = 16
"""Values of half a byte."""

Shades = UInt8[np.ndarray, "H W"]


def events_png(frame: Integer[np.ndarray, "C H W"], saturation: float) -> bytes:
    """A PNG of 16 colours: light where brightness rose, blue where it fell, dark without events.

    Args:
        frame: Representation of one window, as `count_polarities` expects it.
        saturation: Events per pixel that are drawn at full brightness.
    """
    falling, rising = reversed([counts.astype(np.float32) for counts in count_polarities(frame)])
    return _png(_shades(falling, rising, saturation))


def _shades(
    falling: Float32[np.ndarray, "H W"], rising: Float32[np.ndarray, "H W"], saturation: float
) -> Shades:
    """Colour of each pixel: 0 without events, else its share of rising events and its level."""
    total = falling + rising
    # The square root keeps a single event visible beside pixels with many.
    level = np.ceil(np.sqrt((total / saturation).clip(0, 1)) * _LEVELS).astype(np.uint8)
    share = (rising > falling).astype(np.uint8) + (rising >= falling)
    return np.where(total > 0, share * np.uint8(_LEVELS) + level, np.uint8(0))


def _png(shades: Shades) -> bytes:
    """A PNG with a palette and four bits a pixel.

    Source: Portable Network Graphics (PNG) Specification, W3C, section 11.
    """
    height, width = shades.shape
    rows = np.pad(shades, ((0, 0), (0, width % 2)))
    packed = np.zeros((height, 1 + rows.shape[1] // 2), np.uint8)  # each row begins with a filter
    packed[:, 1:] = rows[:, ::2] * np.uint8(_HALF) + rows[:, 1::2]
    # Runs of one value are what a picture of few events consists of: smaller and faster than all.
    deflate = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    content = deflate.compress(packed.tobytes()) + deflate.flush()
    size = struct.pack(">IIBBBBB", width, height, _BITS, _PALETTE_COLOUR, 0, 0, 0)
    parts = [(b"IHDR", size), (b"PLTE", _COLOURS), (b"IDAT", content), (b"IEND", b"")]
    return _SIGNATURE + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _colours() -> bytes:
    none, off, on = (
        np.array(palette.rgb(colour), np.float32)
        for colour in (palette.NO_EVENTS, palette.OFF, palette.ON)
    )
    colours = [none]
    for share in np.linspace(0, 1, _SHADES):
        full = share * on + (1 - share) * off
        colours += [none + level / _LEVELS * (full - none) for level in range(1, _LEVELS + 1)]
    return np.rint(np.stack(colours)).astype(np.uint8).tobytes()


_COLOURS = _colours()

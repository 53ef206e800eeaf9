"""RAW files of a few events, word by word."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

_SIZE = "height=720;width=1280"


def write_evt3(path: Path, times_us: Sequence[int]) -> Path:
    """An EVT3 file with an event at (1, 2) at each time."""
    words = []
    for time_us in times_us:
        words += [0x8000 | time_us >> 12 & 0xFFF, 0x6000 | time_us & 0xFFF, 2, 0x2001]
    return _write(path, "EVT3", np.array(words, "<u2"))


def write_evt2(path: Path, times_us: Sequence[int]) -> Path:
    """An EVT2 file with an event at (1, 2) at each time."""
    words = []
    for time_us in times_us:
        words += [8 << 28 | time_us >> 6, (time_us & 63) << 22 | 1 << 11 | 2]
    return _write(path, "EVT2", np.array(words, "<u4"))


def write_evt21(path: Path, times_us: Sequence[int]) -> Path:
    """An EVT2.1 file with an event at (1, 2) at each time."""
    words = []
    for time_us in times_us:
        low = (time_us & 63) << 22
        words += [(8 << 28 | time_us >> 6) << 32, (low | 1 << 11 | 2) << 32 | 1]
    return _write(path, "EVT21", np.array(words, "<u8"))


def _write(path: Path, encoding: str, words: np.ndarray) -> Path:
    path.write_bytes(f"% format {encoding};{_SIZE}\n% end\n".encode() + words.tobytes())
    return path

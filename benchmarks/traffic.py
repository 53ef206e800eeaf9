"""Recordings of simulated traffic that benchmarks read, in several formats."""

import os
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from etram_pipeline.core.recording import Events
from etram_pipeline.events.formats.etram_hdf5 import write_etram_recording
from etram_pipeline.scene.scene import Scene
from etram_pipeline.scene.settings import SceneSettings

HEIGHT, WIDTH = 720, 1280
BUSY = SceneSettings(height=HEIGHT, width=WIDTH)
# Makes 1.39 million events a second, the mean of eTraM's training part.
MEAN = BUSY.model_copy(update={"density": 0.25, "threshold": 0.65, "duration_s": 14.4})


def write_recordings(folder: Path, millions: int) -> None:
    """Write the same events in every format."""
    folder.mkdir()
    write_etram_recording(folder / "gzip", traffic(millions), HEIGHT, WIDTH)
    with (
        h5py.File(folder / "gzip") as source,
        h5py.File(folder / "plain", "w") as plain,
        (folder / "evt3").open("wb") as evt3,
        (folder / "evt2").open("wb") as evt2,
    ):
        columns = {name: source["events"][name] for name in "xypt"}
        copies = {
            name: plain.create_dataset(f"events/{name}", column.shape, column.dtype)
            for name, column in columns.items()
        }
        for encoding, file in (("3.0", evt3), ("2.0", evt2)):
            file.write(f"% evt {encoding}\n% geometry {WIDTH}x{HEIGHT}\n% end\n".encode())
        state = np.full(3, -1)
        for first in range(0, len(columns["t"]), 2**20):
            span = slice(first, first + 2**20)
            values = {name: column[span] for name, column in columns.items()}
            for name, copy in copies.items():
                copy[span] = values[name]
            x, y, p, t = (values[name].astype(np.int64) for name in "xypt")
            evt3.write(evt3_words(x, y, p, t, state))
            evt2.write(evt2_words(x, y, p, t))


def write_mean_rate(path: Path) -> int:
    """Write traffic at eTraM's mean rate, and return the number of events."""
    events = Scene(MEAN, seed=0).stream(num_threads=os.cpu_count() or 1)
    write_etram_recording(path, events, HEIGHT, WIDTH)
    with h5py.File(path) as file:
        return len(file["events/t"])


def traffic(millions: int) -> Iterator[Events]:
    """A given number of events of simulated traffic."""
    scene = Scene(BUSY.model_copy(update={"duration_s": millions / 4 + 1}), seed=0)
    num_left = millions * 1_000_000
    for events in scene.stream(num_threads=os.cpu_count() or 1):
        yield events.slice(0, min(num_left, len(events)))
        num_left -= len(events)
        if num_left <= 0:
            return


def evt3_words(
    x: np.ndarray, y: np.ndarray, p: np.ndarray, t: np.ndarray, state: np.ndarray
) -> bytes:
    """EVT3 without vectors: words for time and row where they change; `state` is the last ones."""
    changing = np.stack([t >> 12, t, y], axis=1)
    is_new = np.diff(changing, axis=0, prepend=state[None]) != 0
    is_new[:, 1] |= is_new[:, 0]
    state[:] = changing[-1]
    words = [0x8000 | t >> 12 & 0xFFF, 0x6000 | t & 0xFFF, y, 0x2000 | p << 11 | x]
    is_written = np.column_stack([is_new, np.ones(len(t), bool)])
    encoded: bytes = np.stack(words, axis=1)[is_written].astype("<u2").tobytes()
    return encoded


def evt2_words(x: np.ndarray, y: np.ndarray, p: np.ndarray, t: np.ndarray) -> bytes:
    """EVT2: a word for the high bits of the time where they change, and one for each event."""
    words = np.stack([8 << 28 | t >> 6, p << 28 | (t & 63) << 22 | x << 11 | y], axis=1)
    is_new = np.diff(t >> 6, prepend=-1) != 0
    is_written = np.stack([is_new, np.ones(len(t), bool)], axis=1)
    encoded: bytes = words[is_written].astype("<u4").tobytes()
    return encoded

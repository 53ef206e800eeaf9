"""Recordings in eTraM's and RVT's HDF5 layout: one dataset per column of the events."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from etram_pipeline.core.files import written_whole
from etram_pipeline.events.recording import Events

_CHUNK_EVENTS = 2**14
_COLUMN_TYPES = {"x": np.uint16, "y": np.uint16, "p": np.int16, "t": np.int64}


def write_etram_recording(path: Path, chunks: Iterator[Events], height: int, width: int) -> None:
    """Write events as eTraM publishes them, one chunk in memory at a time.

    The file is written whole or not at all, and holds the same bytes whenever it is given the same
    events in the same chunks.

    Source: aayush-v/event_camera, scripts/rvt_dataset_prep/hdf5_file_handling/convert_hdf5_1.py:
    columns x and y u2, p i2, t i8, compressed by gzip, and the size of the sensor as scalars.

    Args:
        path: The file to write, by convention `<name>_td.h5`.
        chunks: The events, in order of time.
        height: Rows of the sensor, in px.
        width: Columns of the sensor, in px.
    """
    with written_whole(path) as partial, h5py.File(partial, "w") as file:
        group = file.create_group("events")
        group["height"] = height
        group["width"] = width
        columns = {
            name: group.create_dataset(
                name,
                shape=(0,),
                maxshape=(None,),
                dtype=dtype,
                chunks=(_CHUNK_EVENTS,),
                compression="gzip",
            )
            for name, dtype in _COLUMN_TYPES.items()
        }
        for events in chunks:
            values = {"x": events.x, "y": events.y, "p": events.polarity, "t": events.t_us}
            for name, column in columns.items():
                column.resize((len(column) + len(events),))
                column[len(column) - len(events) :] = values[name]

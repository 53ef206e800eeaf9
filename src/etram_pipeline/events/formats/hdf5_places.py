"""Finds the events in an HDF5 file, and the sensor size and time offset stored beside them."""

import math
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.fields import NAMES, Fields, find_unit, match_fields
from etram_pipeline.events.formats.hdf5_attributes import read_texts
from etram_pipeline.events.formats.hdf5_layout import HDF5_ERRORS
from etram_pipeline.events.formats.sensor_size import stated_size

_LARGEST_OFFSET_US = 2**62
_MOST_ENTRIES = 10_000
_SIDES = ("height", "width")
_WITHOUT_NAMES = Fields({name: name for name in NAMES}, None)


class Place(NamedTuple):
    """Location of the events in an open HDF5 file.

    Attributes:
        entry: A group with a dataset for each column, or one dataset with a row per event.
        fields: Names of the columns; in a dataset without names, the order is t, x, y, p.
    """

    entry: h5py.Group | h5py.Dataset
    fields: Fields

    @property
    def group(self) -> h5py.Group:
        """The group that may also contain the size of the sensor."""
        return self.entry if isinstance(self.entry, h5py.Group) else self.entry.parent


def find_events(path: Path, file: h5py.File) -> Place:
    """The only location of events in a file: `events`, or else any other.

    Raises:
        RecordingError: If there is none or more than one.
    """
    place = _place(file.get("events"), "events")
    if place is not None:
        return place
    found: list[Place] = []
    num_visited = 0

    def note(name: str, entry: h5py.Group | h5py.Dataset) -> bool | None:
        nonlocal num_visited
        num_visited += 1
        place = _place(entry, name.rpartition("/")[2])
        if place is not None:
            found.append(place)
        return True if num_visited > _MOST_ENTRIES else None

    root = _place(file, "")
    if root is not None:
        found.append(root)
    file.visititems(note)
    if len(found) != 1:
        raise RecordingError(f"{path}: {_describe(file, found)}")
    return found[0]


def read_size(path: Path, place: Place) -> tuple[int, int] | None:
    """Height and width of the sensor in px; None if they are not stated.

    They are scalars beside the events, or attributes of the events, of their group or of the file.

    Raises:
        RecordingError: If only one is stated, or no sensor has such a size.
    """
    group = place.group
    sides = {name: _scalar(path, group[name]) for name in _SIDES if name in group}
    for holder in (place.entry, group, group.file):
        sides = sides or _whole_attributes(holder)
    where = group.name.lstrip("/") or "the file"
    return stated_size(path, where, sides.get("height"), sides.get("width"))


def read_unit(path: Path, times: h5py.Dataset) -> str | None:
    """Unit in an attribute `unit` or `units` of the times; None if there is no known unit.

    Args:
        path: The file.
        times: The column of times in it.
    """
    texts = read_texts(path, h5py.h5o.get_info(times.id).addr)
    stated = (text for name, text in texts.items() if name.lower() in {"unit", "units"})
    return next(filter(None, map(find_unit, stated)), None)


def read_offset(path: Path, place: Place) -> int:
    """Offset of all times, in microseconds; DSEC's files store it beside the group of events.

    Raises:
        RecordingError: If it is not a whole number, or too large.
    """
    holder = next((each for each in (place.group, place.group.file) if "t_offset" in each), None)
    if holder is None:
        return 0
    offset_us = _scalar(path, holder["t_offset"])
    if abs(offset_us) > _LARGEST_OFFSET_US:
        raise RecordingError(
            f"{path}: t_offset is {offset_us}, but the largest offset is {_LARGEST_OFFSET_US} us; "
            "correct or remove it"
        )
    return offset_us


def _place(entry: object, name: str) -> Place | None:
    """The events in an entry; None if it holds none."""
    if isinstance(entry, h5py.Group):
        fields = match_fields(entry)
        return Place(entry, fields) if fields else None
    if not isinstance(entry, h5py.Dataset) or entry.shape is None:
        return None
    if entry.dtype.names is not None:
        fields = match_fields(entry.dtype.names)
        return Place(entry, fields) if fields else None
    is_table = "event" in name.lower() and entry.ndim == 2 and entry.shape[1] == len(NAMES)  # noqa: PLR2004  a table
    return Place(entry, _WITHOUT_NAMES) if is_table else None


def _describe(file: h5py.File, found: list[Place]) -> str:
    if found:
        places = ", ".join(place.entry.name for place in found[:8])
        return (
            f"holds events in {len(found)} places ({places}), but a recording has them in one; "
            "write a file for each"
        )
    wanted = "a group `events` with columns ['x', 'y', 'p', 't']"
    entry = file.get("events")
    if isinstance(entry, h5py.Group):
        return f"`events` holds {sorted(entry)}, but a recording has {wanted}"
    if isinstance(entry, h5py.Dataset):
        shape = "no shape" if entry.shape is None else f"shape {entry.shape}"
        return (
            f"`events` holds {entry.dtype} of {shape}, but a recording has {wanted}, or a dataset "
            "`events` with these fields, or one of N x 4 whole numbers t, x, y, p"
        )
    return f"holds {sorted(file)}, but a recording has {wanted}"


def _whole_attributes(holder: h5py.Group | h5py.Dataset) -> dict[str, int]:
    """Height and width among attributes; text is skipped, which HDF5 may not read safely."""
    identities = {name: holder.attrs.get_id(name) for name in _SIDES if name in holder.attrs}
    return {
        name: int(np.asarray(holder.attrs[name]).item())
        for name, identity in identities.items()
        if identity.dtype.kind in "iu" and math.prod(identity.shape) == 1
    }


def _scalar(path: Path, entry: h5py.Dataset | h5py.Group) -> int:
    try:
        if math.prod(entry.shape) != 1:
            raise ValueError(f"its shape is {entry.shape}")
        value = np.asarray(entry[()]).item()
        if int(value) != value:
            raise ValueError(f"it is {value!r}")
        return int(value)
    except (*HDF5_ERRORS, AttributeError) as error:
        raise RecordingError(
            f"{path}: {entry.name.lstrip('/')} is not a whole number ({error}); correct or remove "
            "it"
        ) from error

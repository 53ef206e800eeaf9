"""Small recordings and labels in the layouts of published data sets, one vehicle in each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import numpy.typing as npt

SECOND_US = 1_000_000

OF_GEN1 = np.dtype(
    [
        ("ts", "<u8"),
        *((name, "<f4") for name in "xywh"),
        ("class_id", "u1"),
        ("confidence", "<f4"),
        ("track_id", "<u4"),
    ]
)
"""Columns of the label files of Gen1."""

OF_1MPX = np.dtype(
    [
        ("t", "<i8"),
        *((name, "<f4") for name in "xywh"),
        ("class_id", "u1"),
        ("track_id", "<u4"),
        ("class_confidence", "<f4"),
    ]
)
"""Columns of the label files of the 1 Mpx data set."""

OF_DSEC = np.dtype(
    [
        ("t", "<u8"),
        *((name, "<f8") for name in "xyhw"),
        ("class_id", "u1"),
        ("class_confidence", "<f8"),
        ("track_id", "<u8"),
    ]
)
"""Columns of the label files of DSEC-Det."""

OFFSET_US = 49_599_300_523
"""When the sequences of DSEC begin, on the clock of their labels."""

Table = npt.NDArray[Any]


@dataclass(frozen=True)
class Vehicle:
    """A vehicle that drives to the right at constant speed, and back at the border.

    Attributes:
        size: Height and width of the sensor in px.
        class_id: Its class.
        box: Height and width of the vehicle in px.
        duration_s: Length of the recording.
        events_per_s: Events at its two vertical sides.
    """

    size: tuple[int, int]
    class_id: int
    box: tuple[int, int]
    duration_s: float = 60.0
    events_per_s: int = 2000

    def left_px(self, t_us: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Left side of the vehicle at some times."""
        room = self.size[1] - self.box[1] - 2
        return 1 + np.abs((t_us / SECOND_US * room / 4) % (2 * room) - room)

    def events(self, seed: int, start_us: int = 0) -> dict[str, npt.NDArray[np.int64]]:
        """Columns t, x, y and p in order of time."""
        random = np.random.default_rng(seed)
        number = round(self.events_per_s * self.duration_s)
        t_us = np.sort(random.integers(0, round(self.duration_s * SECOND_US), number))
        p = random.integers(0, 2, number)
        x = (self.left_px(t_us) + p * (self.box[1] - 1)).astype(np.int64)
        y = self.size[0] // 3 + random.integers(0, self.box[0], number)
        return {"t": t_us + start_us, "x": x, "y": y, "p": p}

    def labels(self, t_us: npt.NDArray[np.int64], dtype: np.dtype[Any]) -> Table:
        """Its box at some times."""
        table = np.zeros(len(t_us), dtype)
        names = dtype.names or ()
        table["ts" if "ts" in names else "t"] = t_us
        table["x"], table["y"] = self.left_px(t_us), self.size[0] // 3
        table["h"], table["w"] = self.box
        table["class_id"], table["track_id"] = self.class_id, 1
        return table


def write_dat(
    path: Path, events: dict[str, npt.NDArray[np.int64]], size: tuple[int, int] | None = None
) -> None:
    """Write a DAT recording of version 2; files of Gen1 do not state the size of the sensor."""
    lines = ["% Data file containing Event2D events.", "% Version 2", "% Date 2019-10-31 11:29:21"]
    if size is not None:
        lines += [f"% Height {size[0]}", f"% Width {size[1]}"]
    words = np.zeros((len(events["t"]), 2), "<u4")
    words[:, 0] = events["t"]
    words[:, 1] = events["x"] | events["y"] << 14 | events["p"] << 28
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(("\n".join(lines) + "\n").encode() + bytes((0, 8)) + words.tobytes())


def write_gen1(root: Path, *, duration_s: float = 60.0, labelled_s: float = 12.0) -> None:
    """Write five recordings like those of Gen1, with labels at 4 Hz in their first seconds.

    The label file of one of `train` lacks `track_id`; one of `test` has labels at 1 Hz.
    """
    names = {
        "train": (
            "17-03-30_12-53-58_1037500000_1097500000",
            "17-04-04_11-00-13_61500000_121500000",
        ),
        "val": ("17-04-05_10-12-45_305500000_365500000",),
        "test": ("17-04-06_09-25-59_122500000_182500000", "17-04-06_15-14-36_793500000_853500000"),
    }
    for split, stems in names.items():
        for number, stem in enumerate(stems):
            vehicle = Vehicle((240, 304), number % 2, (40, 60), duration_s)
            write_dat(root / split / f"{stem}_td.dat", vehicle.events(seed=len(split) + number))
            slow = split == "test" and number == 1
            step_us = SECOND_US if slow else SECOND_US // 4
            times_us = np.arange(step_us, round(labelled_s * SECOND_US) + 1, step_us)
            table = vehicle.labels(times_us, OF_GEN1)
            if split == "train" and number == 1:
                table = table[[name for name in OF_GEN1.names or () if name != "track_id"]].copy()
            np.save(root / split / f"{stem}_bbox.npy", table)


def write_1mpx(root: Path, *, duration_s: float = 60.0, labelled_s: float = 3.0) -> None:
    """Write three recordings like those of 1 Mpx, with labels of seven classes at 60 Hz."""
    names = {
        "train": "moorea_2019-02-15_000_td_60500000_120500000",
        "val": "moorea_2019-02-18_000_td_121500000_181500000",
        "test": "moorea_2019-02-21_000_td_182500000_242500000",
    }
    times_us = (np.arange(6, round(labelled_s * 60)) * SECOND_US / 60).astype(np.int64)
    for number, (split, stem) in enumerate(names.items()):
        vehicle = Vehicle((720, 1280), 2, (90, 160), duration_s)
        path = root / split / f"{stem}_td.dat"
        write_dat(path, vehicle.events(seed=number), vehicle.size)
        sign = vehicle.labels(times_us[:1], OF_1MPX)
        sign["class_id"], sign["x"], sign["track_id"] = 5, 1000, 2
        table = np.concatenate([sign, vehicle.labels(times_us, OF_1MPX)])
        np.save(root / split / f"{stem}_bbox.npy", table)


def write_dsec(root: Path, *, duration_s: float = 3.0) -> None:
    """Write three sequences like those of DSEC-Det, whose clock started fourteen hours before.

    Times in the file count from `t_offset`, those of labels from the start of the clock.
    """
    sequences = ("train/zurich_city_00_a", "train/zurich_city_16_a", "test/thun_02_a")
    vehicle = Vehicle((480, 640), 2, (60, 90), duration_s)
    for number, sequence in enumerate(sequences):
        events = root / sequence / "events/left/events.h5"
        events.parent.mkdir(parents=True)
        columns = vehicle.events(seed=number)
        with h5py.File(events, "w") as file:
            for name, dtype in {"p": "u1", "t": "<u4", "x": "<u2", "y": "<u2"}.items():
                file.create_dataset(
                    f"events/{name}",
                    data=columns[name].astype(dtype),
                    chunks=(100,),
                    **hdf5plugin.Blosc(cname="zstd"),
                )
            file["t_offset"] = np.int64(OFFSET_US)
            edges_us = np.arange(0, round(duration_s * SECOND_US), 1000)
            file["ms_to_idx"] = np.searchsorted(columns["t"], edges_us).astype(np.uint64)
        times_us = np.arange(100_000, round(duration_s * SECOND_US), 50_000)
        tracks = root / sequence / "object_detections/left/tracks.npy"
        tracks.parent.mkdir(parents=True)
        table = vehicle.labels(times_us, OF_DSEC)
        table["t"] += OFFSET_US
        np.save(tracks, table)

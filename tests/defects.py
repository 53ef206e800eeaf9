"""A folder of small recordings, most of which have one fault, as a camera or a disk makes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable

HEIGHT, WIDTH = 96, 128
DURATION_US = 4_000_000
NUM_EVENTS = 60_000


@dataclass
class Files:
    """Columns of a recording and boxes of its label file, before they are written."""

    x: npt.NDArray[np.int32]
    y: npt.NDArray[np.int32]
    t: npt.NDArray[np.int64]
    p: npt.NDArray[np.int8]
    labels: LabelTable | None
    label_bytes: bytes | None = None
    cut_at: int | None = None
    is_raw: bool = False
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def choose(self, share: float) -> npt.NDArray[np.int64]:
        """Some events, never the first: it would change when the recording begins."""
        return 1 + self.rng.choice(len(self.t) - 1, round(share * len(self.t)), replace=False)

    def keep(self, chosen: npt.NDArray[np.bool_]) -> None:
        """Leave out all other events."""
        self.x, self.y = self.x[chosen], self.y[chosen]
        self.t, self.p = self.t[chosen], self.p[chosen]

    @property
    def boxes(self) -> LabelTable:
        """The labels, which are there."""
        assert self.labels is not None
        return self.labels


def sound(seed: int = 0) -> Files:
    """Even noise and two tracks of boxes at 30 Hz, without any fault."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, DURATION_US, NUM_EVENTS))
    t[0], t[-1] = 0, DURATION_US - 1
    times_us = np.arange(1, 120) * 33_333
    labels = np.zeros(2 * len(times_us), LABEL_DTYPE)
    labels["t"] = np.repeat(times_us, 2)
    labels["track_id"] = np.tile([1, 2], len(times_us))
    labels["class_id"] = np.tile([1, 5], len(times_us))
    labels["x"], labels["y"] = np.tile([10, 80], len(times_us)), 40
    labels["w"], labels["h"] = 30, 20
    x, y = rng.integers(0, WIDTH, NUM_EVENTS), rng.integers(0, HEIGHT, NUM_EVENTS)
    p = rng.integers(0, 2, NUM_EVENTS)
    return Files(x.astype(np.int32), y.astype(np.int32), t, p.astype(np.int8), labels, rng=rng)


def _outside(files: Files) -> None:
    files.x[files.choose(0.05)] = WIDTH + 3


def _few_outside(files: Files) -> None:
    files.x[files.choose(0.001)] = WIDTH


def _late(files: Files) -> None:
    files.t[files.choose(0.02)] -= 5_000
    files.t[:] = np.maximum(files.t, 0)


def _few_late(files: Files) -> None:
    files.t[files.choose(0.0005)] -= 5_000
    files.t[:] = np.maximum(files.t, 0)


def _in_milliseconds(files: Files) -> None:
    files.t //= 1000
    files.boxes["t"] //= 1000


def _early(files: Files) -> None:
    files.t[:] -= 100_000


def _stalled(files: Files) -> None:
    files.keep((files.t < 1_500_000) | (files.t > 2_300_000))


def _hot(files: Files) -> None:
    files.x[files.choose(0.03)] = 17
    files.y[files.x == 17] = 71


def _one_sided(files: Files) -> None:
    files.p[:] = files.rng.random(len(files.p)) < 0.97


def _rising(files: Files) -> None:
    files.p[:] = 1


def _overrun(files: Files) -> None:
    files.keep(files.t < 3_000_000)


def _other_clock(files: Files) -> None:
    files.boxes["t"] *= 1000


def _shifted(files: Files) -> None:
    files.t[:] += 1_000_000


def _milliseconds(files: Files) -> None:
    files.boxes["t"] //= 1000


def _fractions(files: Files) -> None:
    for name, side in (("x", WIDTH), ("w", WIDTH), ("y", HEIGHT), ("h", HEIGHT)):
        files.boxes[name] /= side


def _twice(files: Files) -> None:
    files.labels = np.repeat(files.boxes, np.where(np.arange(len(files.boxes)) < 7, 2, 1))


def _unnamed_class(files: Files) -> None:
    files.boxes["class_id"][:9] = 11


def _flat(files: Files) -> None:
    files.boxes["h"][3:6] = 0
    files.boxes["x"][6] = np.nan


def _off_sensor(files: Files) -> None:
    files.boxes["x"][10:13] = WIDTH + 5


def _over_border(files: Files) -> None:
    files.boxes["x"][files.boxes["track_id"] == 2] = WIDTH - 10


def _no_events(files: Files) -> None:
    files.keep(np.zeros(len(files.t), np.bool_))


def _cut(files: Files) -> None:
    files.cut_at = 9000


def _cut_raw(files: Files) -> None:
    files.is_raw, files.cut_at = True, -3


def _cut_labels(files: Files) -> None:
    files.label_bytes = b"\x93NUMPY\x01\x00v\x00{'descr'"


def _unlabelled(files: Files) -> None:
    files.labels = None


def _no_boxes(files: Files) -> None:
    files.labels = files.boxes[:0]


DEFECTS: Mapping[str, tuple[Callable[[Files], None], str]] = {
    "train/outside": (_outside, "many events outside the sensor"),
    "train/few_outside": (_few_outside, "few events outside the sensor"),
    "train/late": (_late, "events timed before an earlier one"),
    "train/few_late": (_few_late, "few events timed before an earlier one"),
    "train/in_milliseconds": (
        _in_milliseconds,
        "times may be in another unit than microseconds",
    ),
    "train/early": (_early, "events before time zero"),
    "train/stalled": (_stalled, "stretches without events"),
    "train/hot": (_hot, "hot pixels make many of the events"),
    "train/one_sided": (_one_sided, "polarity is one-sided"),
    "train/rising": (_rising, "all events have one polarity"),
    "train/no_events": (_no_events, "no events"),
    "train/cut": (_cut, "the recording cannot be read"),
    "train/cut_raw": (_cut_raw, "cut off at its end"),
    "val/overrun": (_overrun, "labels outside the time of the recording"),
    "val/other_clock": (_other_clock, "no label belongs to the time of the recording"),
    "val/shifted": (_shifted, "labels and recording count time from different moments"),
    "val/milliseconds": (_milliseconds, "labels in another unit"),
    "val/fractions": (_fractions, "labels in another unit"),
    "val/twice": (_twice, "two boxes of one track at one time"),
    "val/unnamed_class": (_unnamed_class, "boxes of classes that have no name"),
    "val/flat": (_flat, "boxes without a size"),
    "val/off_sensor": (_off_sensor, "boxes off the sensor"),
    "val/over_border": (_over_border, "many boxes over the border of the sensor"),
    "test/cut_labels": (_cut_labels, "the label file cannot be read"),
    "test/unlabelled": (_unlabelled, "no label file"),
    "test/no_boxes": (_no_boxes, "no boxes"),
}
"""How each recording is spoilt, and the title of the finding that must tell of it."""


def write_files(root: Path, key: str, files: Files) -> None:
    """Write a recording and its labels in eTraM's layout; the content alone tells the format."""
    path = root / f"{key}_td.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    if files.is_raw:
        path.write_bytes(_evt2(files))
    else:
        with h5py.File(path, "w") as file:
            for name in "xytp":
                file[f"events/{name}"] = getattr(files, name)
            file["events/height"], file["events/width"] = HEIGHT, WIDTH
    if files.cut_at is not None:
        path.write_bytes(path.read_bytes()[: files.cut_at])
    label_path = root / f"{key}_bbox.npy"
    if files.label_bytes is not None:
        label_path.write_bytes(files.label_bytes)
    elif files.labels is not None:
        np.save(label_path, files.labels)


def _evt2(files: Files) -> bytes:
    x, y, t, p = (column.astype(np.int64) for column in (files.x, files.y, files.t, files.p))
    words = np.stack([8 << 28 | t >> 6, p << 28 | (t & 63) << 22 | x << 11 | y], axis=1)
    header = f"% evt 2.0\n% geometry {WIDTH}x{HEIGHT}\n% end\n".encode()
    return header + bytes(words.astype("<u4").data)


def write_defects(root: Path, num_sound: int = 2) -> None:
    """Write a recording for every defect, and some without any."""
    for number in range(num_sound):
        write_files(root, f"train/sound_{number}", sound(number))
    for key, (spoil, _) in DEFECTS.items():
        files = sound()
        spoil(files)
        write_files(root, key, files)


def paths(root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Recordings and label files under a folder, by key."""
    found: list[dict[str, Path]] = []
    for suffix in ("_td.h5", "_bbox.npy"):
        files = sorted(root.glob(f"*/*{suffix}"))
        found.append({f"{f.parent.name}/{f.name.removesuffix(suffix)}": f for f in files})
    return found[0], found[1]

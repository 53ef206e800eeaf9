"""Telling eTraM's two label sets apart, whose files have the same names and the same columns.

A file of three super-classes (0 pedestrian, 1 vehicle, 2 micro-mobility) passes for one of eight
classes of which only three occur; every vehicle would be learnt as a car. What can be known:

- A box of class 3 to 7 is in no file of three super-classes. That is certain.
- Boxes of no class beyond 2 prove nothing for a recording or a few: a street may see only
  pedestrians, cars and bicycles. In a folder of at least ten recordings of eTraM they do. Its
  streets see buses, trucks and motorbikes; were half of its recordings without any, ten in a row
  would be so once in a thousand folders. Recordings of eTraM are known by their names
  (`train_day_0001`), and of other recordings this is never concluded.
- Where the boxes leave it open, the name of a folder counts that says it
  (`Eight_class_annotations`, `3_class`).

What contradicts the classes of the run is refused, and so is a mixture, one part of which does. Any
number of recordings of one's own that show only pedestrians and cars is not. A run whose
`dataset.label_set` has a name of its own has labels of its own, and is not checked at all.

Source: the download as docs/etram.md describes it; names of classes from eTraM's
`gen4_class_labels.py`.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import LabelError
from etram_pipeline.core.wording import counted

LabelSet = Literal["eight classes", "three super-classes"]

EIGHT: LabelSet = "eight classes"
THREE: LabelSet = "three super-classes"

CLASS_NAMES: Mapping[LabelSet, tuple[str, ...]] = {
    EIGHT: ("pedestrian", "car", "bicycle", "bus", "motorbike", "truck", "tram", "wheelchair"),
    THREE: ("pedestrian", "vehicle", "micro_mobility"),
}
"""Classes of each set, in the order of their ids."""

ETRAM_NAMES = ("8-class", "3 super-classes", "3 super-classes of the label files")
"""Values of `dataset.label_set` that stand for a set of eTraM's."""

ENOUGH_RECORDINGS = 10
"""Recordings of eTraM without a box beyond class 2 that make a folder one of three classes."""

_NUM_SHARED = len(CLASS_NAMES[THREE])
_NUM_SHOWN = 3
_ETRAM_FILE = re.compile(r"(train|val|test)_(day|night|twilight)_\d+_bbox\.npy")
_FOLDER_NAMES: Mapping[LabelSet, re.Pattern[str]] = {
    EIGHT: re.compile(r"(eight|8)[ _-]?class", re.IGNORECASE),
    THREE: re.compile(r"(three|3)[ _-]?(super[ _-]?)?class", re.IGNORECASE),
}
_REMEDIES: Mapping[LabelSet, str] = {
    EIGHT: "for what these files hold use preset=grouped_labels; for eight classes let "
    "`label_files` in the catalog name the folder made of `Eight_class_annotations`",
    THREE: "for what these files hold leave out preset=grouped_labels, or use "
    "preset=three_classes, which gathers eight classes into three; for files of three "
    "super-classes let `label_files` in the catalog name the folder `HDF5`",
}


@dataclass(frozen=True)
class Evidence:
    """What tells the label set of a folder.

    Attributes:
        label_set: The set.
        reason: How it is known.
    """

    label_set: LabelSet
    reason: str


@dataclass(frozen=True)
class LabelFolder:
    """Label files that lie in one folder, and so came together.

    Attributes:
        path: The folder.
        largest_ids: Largest class id of each file that can be read and holds boxes.
    """

    path: Path
    largest_ids: Mapping[Path, int]

    def evidence(self) -> Evidence | None:
        """What tells the set its files are of; None where that cannot be known."""
        largest = max(self.largest_ids.values())
        if largest >= _NUM_SHARED:
            return Evidence(EIGHT, f"class ids up to {largest}")
        num_etram = sum(bool(_ETRAM_FILE.fullmatch(file.name)) for file in self.largest_ids)
        if num_etram >= ENOUGH_RECORDINGS:
            recordings = counted(num_etram, "recording")
            return Evidence(THREE, f"no class id above {largest} in {recordings}")
        for part in reversed(self.path.parts):
            for label_set, pattern in _FOLDER_NAMES.items():
                if pattern.search(part):
                    return Evidence(label_set, f"as the folder's name {part} says")
        return None


def check_label_set(label_files: Iterable[Path], dataset: DatasetSettings) -> None:
    """Refuse label files that are evidently of another of eTraM's label sets than the run's.

    Only the columns of class ids are read. Files that cannot be read are left to those who need
    them.

    Raises:
        LabelError: If there are such files; names some of them, and what to do.
    """
    wanted = wanted_label_set(dataset)
    if wanted is None:
        return
    fitting: list[tuple[LabelFolder, Evidence]] = []
    wrong: list[tuple[LabelFolder, Evidence]] = []
    for folder in _read_folders(label_files):
        evidence = folder.evidence()
        if evidence is not None:
            (fitting if evidence.label_set == wanted else wrong).append((folder, evidence))
    if wrong:
        mixture = f", while those in {fitting[0][0].path} are of {wanted}" if fitting else ""
        raise LabelError(
            f"the run wants eTraM's labels of {wanted}, as dataset.class_names say, but "
            f"{_describe(wrong)}{mixture}: {_REMEDIES[wanted]}. If they are no labels of eTraM's, "
            f"give `dataset.label_set` a name of its own instead of {dataset.label_set!r}"
        )


def wanted_label_set(dataset: DatasetSettings) -> LabelSet | None:
    """The set of eTraM's that a run's label files have to be of; None if of none."""
    if dataset.label_set not in ETRAM_NAMES:
        return None
    return next((name for name, names in CLASS_NAMES.items() if names == dataset.class_names), None)


def may_be_grouped(dataset: DatasetSettings, class_ids: Collection[int]) -> bool:
    """Whether labels taken for eTraM's eight classes may be of its three.

    Args:
        dataset: Says what they are taken for.
        class_ids: Every class id that occurs.
    """
    return (
        wanted_label_set(dataset) == EIGHT
        and len(class_ids) > 0
        and max(class_ids) < len(CLASS_NAMES[THREE])
    )


def _read_folders(label_files: Iterable[Path]) -> list[LabelFolder]:
    found: dict[Path, dict[Path, int]] = {}
    for path in label_files:
        largest = _largest_class_id(path)
        if largest is not None:
            found.setdefault(path.parent, {})[path] = largest
    return [LabelFolder(folder, largest_ids) for folder, largest_ids in found.items()]


def _largest_class_id(path: Path) -> int | None:
    if not path.is_file():
        return None
    try:
        class_ids = np.load(path, mmap_mode="r", allow_pickle=False)["class_id"]
        return int(class_ids.max()) if class_ids.size else None
    except Exception:  # noqa: BLE001  # damage makes NumPy, and what reads for it, raise anything
        return None


def _describe(wrong: Sequence[tuple[LabelFolder, Evidence]]) -> str:
    folder, evidence = wrong[0]
    names = sorted(path.name for path in folder.largest_ids)
    shown = ", ".join(names[:_NUM_SHOWN])
    files = f"{shown} and {len(names) - _NUM_SHOWN} more" if len(names) > _NUM_SHOWN else shown
    others = f", and those of {len(wrong) - 1} other folders," if len(wrong) > 1 else ""
    return (
        f"the files in {folder.path} ({files}){others} are of {evidence.label_set} "
        f"({evidence.reason})"
    )

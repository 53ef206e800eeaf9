"""Telling label sets apart whose files have the same names and the same columns.

A dataset may be published with several label sets, of which one gathers the classes of another:
eTraM has eight classes and three super-classes. A file of the smaller set passes for one of the
larger set in which only few classes occur, and a detector would learn every vehicle as a car. The
known sets are configuration (`label_sets`). What can be known about a folder of label files:

- A box whose class id lies beyond a set proves that its file is not of that set.
- Boxes of low class ids alone prove nothing for a few recordings: a street may see only
  pedestrians, cars and bicycles. In `enough_recordings` recordings that are named like those of the
  dataset they do: eTraM's streets see buses, trucks and motorbikes, and if half of its recordings
  had none, ten in a row without any would occur in one of a thousand folders. Recordings with other
  names never lead to this conclusion.
- Where the boxes leave it open, the name of a folder decides (`Eight_class_annotations`,
  `3_class`).

Files that contradict the classes of the run are refused, and so is a mixture of sets. A run whose
`dataset.label_set` is not listed in `label_sets.checked` has labels of its own and is not checked.

Source: the download as docs/etram.md describes it.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from etram_pipeline.core.component import Settings
from etram_pipeline.core.counts import counted
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import LabelError

_NUM_SHOWN = 3
_LABEL_SUFFIX = "_bbox.npy"


def _check_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from error
    return text


Pattern = Annotated[str, AfterValidator(_check_pattern)]
"""A regular expression."""


class LabelSet(Settings):
    """One published set of labels.

    Attributes:
        class_names: Its classes, in the order of their ids.
        folder_name: Pattern found in the name of a folder that holds it; case does not matter.
        use: What to do in order to use files of this set as they are.
        place: Where the dataset keeps its files.
    """

    class_names: tuple[str, ...] = Field(min_length=1)
    folder_name: Pattern
    use: str
    place: str


class LabelSets(Settings):
    """The label sets of a dataset that can be mistaken for each other.

    Attributes:
        dataset: Name of the dataset, for messages.
        checked: Values of `dataset.label_set` that stand for one of these sets; labels under any
            other name are the user's own.
        recording_name: Pattern of the names of the dataset's recordings.
        enough_recordings: Recordings of the dataset in one folder without any box of a larger set
            that make it a folder of the smaller set.
        sets: The sets, by name.
    """

    dataset: str = ""
    checked: tuple[str, ...] = ()
    recording_name: Pattern = ""
    enough_recordings: int = Field(default=10, ge=1)
    sets: dict[str, LabelSet] = Field(default_factory=dict)

    def wanted(self, dataset: DatasetSettings) -> str | None:
        """Name of the set that a run's label files have to be of; None if they are not checked."""
        if dataset.label_set not in self.checked:
            return None
        names = (
            name for name, each in self.sets.items() if each.class_names == dataset.class_names
        )
        return next(names, None)

    def smaller(self, dataset: DatasetSettings, class_ids: Collection[int]) -> str | None:
        """Name of a smaller set that labels may be of instead of the wanted one; None if of none.

        Args:
            dataset: Says which set the run wants.
            class_ids: Every class id that occurs.
        """
        wanted = self.wanted(dataset)
        if wanted is None or not class_ids:
            return None
        possible = self._holding(max(class_ids))
        return possible[0] if possible and possible[0] != wanted else None

    def proof(self, folder: "LabelFolder") -> "LabelSetProof | None":
        """What proves the set of a folder's files; None where it cannot be known."""
        largest = max(folder.largest_ids.values())
        possible = self._holding(largest)
        if len(possible) == 1:
            return LabelSetProof(possible[0], f"class ids up to {largest}")
        names = (file.name.removesuffix(_LABEL_SUFFIX) for file in folder.largest_ids)
        num_known = sum(bool(re.fullmatch(self.recording_name, name)) for name in names)
        if num_known >= self.enough_recordings:
            recordings = counted(num_known, "recording")
            return LabelSetProof(possible[0], f"no class id above {largest} in {recordings}")
        for part in reversed(folder.path.parts):
            for name in possible:
                if re.search(self.sets[name].folder_name, part, re.IGNORECASE):
                    return LabelSetProof(name, f"as the folder's name {part} says")
        return None

    def _holding(self, class_id: int) -> list[str]:
        """Sets that have a class, the smallest first; the largest set where none has it."""
        sizes = {name: len(each.class_names) for name, each in self.sets.items()}
        ordered = sorted(sizes, key=lambda name: sizes[name])
        return [name for name in ordered if class_id < sizes[name]] or ordered[-1:]


@dataclass(frozen=True)
class LabelSetProof:
    """What proves the label set of a folder.

    Attributes:
        label_set: Name of the set.
        reason: How it is known.
    """

    label_set: str
    reason: str


@dataclass(frozen=True)
class LabelFolder:
    """Label files in one folder, which therefore belong together.

    Attributes:
        path: The folder.
        largest_ids: Largest class id of each readable file that holds boxes.
    """

    path: Path
    largest_ids: Mapping[Path, int]


def check_label_set(
    label_files: Iterable[Path], dataset: DatasetSettings, label_sets: LabelSets
) -> None:
    """Refuse label files that are evidently of another label set than the run's.

    Only the columns of class ids are read. Files that cannot be read are skipped: the jobs that
    need them report the error.

    Args:
        label_files: Label files of the run.
        dataset: Says which set the run wants.
        label_sets: The known sets.

    Raises:
        LabelError: If there are such files; names some of them, and what to do.
    """
    wanted = label_sets.wanted(dataset)
    if wanted is None:
        return
    fitting: list[tuple[LabelFolder, LabelSetProof]] = []
    wrong: list[tuple[LabelFolder, LabelSetProof]] = []
    for folder in _read_folders(label_files):
        proof = label_sets.proof(folder)
        if proof is not None:
            (fitting if proof.label_set == wanted else wrong).append((folder, proof))
    if wrong:
        mixture = f", while those in {fitting[0][0].path} are of {wanted}" if fitting else ""
        found = label_sets.sets[wrong[0][1].label_set]
        raise LabelError(
            f"the run wants {label_sets.dataset}'s labels of {wanted}, as dataset.class_names say, "
            f"but {_describe(wrong)}{mixture}: to use these files, {found.use}; for {wanted}, set "
            f"the path of `label_files` in the catalog to {label_sets.sets[wanted].place}. If they "
            f"are not labels of {label_sets.dataset}, give `dataset.label_set` a name of its own "
            f"instead of {dataset.label_set!r}"
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
    except Exception:  # noqa: BLE001  # NumPy raises errors of any kind for damaged files
        return None


def _describe(wrong: Sequence[tuple[LabelFolder, LabelSetProof]]) -> str:
    folder, proof = wrong[0]
    names = sorted(path.name for path in folder.largest_ids)
    shown = ", ".join(names[:_NUM_SHOWN])
    files = f"{shown} and {len(names) - _NUM_SHOWN} more" if len(names) > _NUM_SHOWN else shown
    others = f", and those of {len(wrong) - 1} other folders," if len(wrong) > 1 else ""
    return f"the files in {folder.path} ({files}){others} are of {proof.label_set} ({proof.reason})"

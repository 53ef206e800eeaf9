"""Recordings that detections can belong to, and tables of detections by recording."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

from etram_pipeline.core.dataset import SPLITS, DatasetSettings
from etram_pipeline.core.errors import LabelError
from etram_pipeline.labels.detections import DetectionTable

_ENDINGS = ("_bbox", "_td", "_detections")
"""Ends of file names that are no part of the recording's name."""


@dataclass(frozen=True)
class KnownRecordings:
    """What the detections of a file or folder are matched to.

    Attributes:
        keys: Labelled recordings, `<split>/<name>`.
        dataset: Sensor and classes of the labels.
        images: COCO annotation file that numbers the images and the categories; None without any.
    """

    keys: tuple[str, ...]
    dataset: DatasetSettings
    images: Path | None = None

    def find(self, file: PurePath) -> str | None:
        """The recording that a file belongs to; None if there is no such recording.

        The file is named like the recording, with or without `_bbox` or `_td`. Folders above it,
        such as the split, are only used to choose between recordings of the same name.

        Raises:
            LabelError: If the folders do not choose between several recordings.
        """
        for name in _possible_names(file):
            found = self._of_name.get(name, ())
            if len(found) > 1:
                found = tuple(key for key in found if _agree(key, file.parent))
            if len(found) == 1:
                return found[0]
            if len(found) > 1 or name in self._of_name:
                raise LabelError(
                    f"{file} may belong to {' or '.join(self._of_name[name])}: put it into a "
                    f"folder named for the split ({', '.join(SPLITS)})"
                )
        return None

    def some(self) -> str:
        """A few of the recordings, for messages."""
        shown = ", ".join(self.keys[:3])
        return shown if len(self.keys) <= 3 else f"{shown} …"  # noqa: PLR2004

    def __contains__(self, key: str) -> bool:
        return key in self._all

    @cached_property
    def _all(self) -> frozenset[str]:
        return frozenset(self.keys)

    @cached_property
    def _of_name(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for key in self.keys:
            name = PurePath(key).name
            found[name] = (*found.get(name, ()), key)
        return found


@dataclass(frozen=True)
class FoundDetections:
    """Detections as a reader finds them.

    Attributes:
        tables: Detections of each recording in which a detector looked for objects, with the class
            ids of the file, in px of the sensor.
        names: Name of each class id of the file; None if the ids are those of the dataset.
    """

    tables: Mapping[str, DetectionTable]
    names: Mapping[int, str] | None = None


def _possible_names(file: PurePath) -> list[str]:
    stem = file.stem
    return [stem, *(stem.removesuffix(end) for end in _ENDINGS if stem.endswith(end))]


def _agree(key: str, folder: PurePath) -> bool:
    """Whether the folders of a recording are among those above a file."""
    above = PurePath(key).parts[:-1]
    return folder.parts[len(folder.parts) - len(above) :] == above

"""Files that describe a dataset; written last, and removed before the dataset changes."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from etram_pipeline.core.dataset import SPLITS, DatasetSettings
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.core.recording_key import in_splits
from etram_pipeline.export import coco, layout, yolo
from etram_pipeline.export.settings import ExportSettings

logger = logging.getLogger(__name__)

_RECIPE = 1
"""Increase it when the same recordings and settings produce different files."""


@dataclass(frozen=True)
class Publication:
    """Description of a dataset, without its recordings.

    Attributes:
        dataset: Dataset settings, with the class names.
        settings: Settings of the export.
        representation_name: Name of the representation shown in the pictures.
    """

    dataset: DatasetSettings
    settings: ExportSettings
    representation_name: str

    def mark(self, recordings: Mapping[str, str]) -> str:
        """Fingerprint of the dataset.

        Args:
            recordings: Fingerprint of each recording, by key.
        """
        classes = self.dataset.detected_classes
        splits = list(self.settings.splits)
        return fingerprint(
            [_RECIPE, recordings, splits, list(self.settings.formats), classes, self._info()]
        )

    def publish(self, root: Path, keys: list[str], mark: str) -> None:
        """Write the files that describe the dataset under `root`."""
        splits = {}
        for split in self.settings.splits:
            of_split = in_splits(keys, (split,))
            if of_split:
                ledgers = partial(layout.read_ledgers, root, of_split)
                self._publish_split(root, split, ledgers)
                splits[split] = self._summarise(ledgers)
            else:
                logger.warning("no pictures for %s: the dataset lacks this split", split)
        if "yolo" in self.settings.formats:
            yolo.write_data_file(root, list(splits), self.dataset.detected_classes)
        summary = layout.DatasetSummary(fingerprint=mark, splits=splits)
        layout.write_notes(root / layout.NOTES_FOLDER / layout.SUMMARY_FILE, summary)

    def _publish_split(self, root: Path, split: str, ledgers: layout.Ledgers) -> None:
        if "coco" in self.settings.formats:
            path = root / coco.annotation_file(split)
            coco.write_coco(path, ledgers, self.dataset.detected_classes, self._info())
        if "yolo" in self.settings.formats:
            yolo.write_list(root, split, ledgers)

    def _summarise(self, ledgers: layout.Ledgers) -> layout.SplitSummary:
        num_recordings = num_pictures = 0
        num_boxes: Counter[int] = Counter()
        for _, ledger in ledgers():
            num_recordings += 1
            num_pictures += len(ledger.frames)
            num_boxes.update(box[0] for frame in ledger.frames for box in frame.boxes)
        names = enumerate(self.dataset.detected_classes)
        return layout.SplitSummary(
            recordings=num_recordings,
            pictures=num_pictures,
            boxes=num_boxes.total(),
            boxes_of_class={name: num_boxes[class_id] for class_id, name in names},
        )

    def _info(self) -> dict[str, Any]:
        return {
            "description": "event frames, exported by etram_pipeline",
            "label_set": self.dataset.label_set,
            "representation": self.representation_name,
            "picture": self.settings.picture.model_dump(mode="json"),
        }


def is_published(root: Path, mark: str) -> bool:
    """Whether the dataset under `root` is complete and has the fingerprint `mark`."""
    summary = layout.read_summary(root)
    return summary is not None and summary.fingerprint == mark


def withdraw(root: Path) -> None:
    """Remove the files that describe the dataset, beginning with its summary."""
    (root / layout.NOTES_FOLDER / layout.SUMMARY_FILE).unlink(missing_ok=True)
    (root / yolo.DATA_FILE).unlink(missing_ok=True)
    for split in SPLITS:
        files = (yolo.list_file(split), yolo.cache_file(split), coco.annotation_file(split))
        for file in files:
            (root / file).unlink(missing_ok=True)

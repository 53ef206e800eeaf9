"""Measurements of all recordings of a dataset."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.labels.label_sets import LabelSets
from etram_pipeline.quality.job import RecordingQuality


@dataclass(frozen=True)
class Survey:
    """Measurements of all recordings of a dataset.

    Attributes:
        recordings: Measurements by recording, for those that could be read.
        failed: Reason by recording, for those that could not be read.
        dataset: Their sensor and classes.
        label_sets: Label sets that theirs may be mistaken for.
    """

    recordings: Mapping[str, RecordingQuality]
    failed: Mapping[str, str]
    dataset: DatasetSettings
    label_sets: LabelSets = field(default_factory=LabelSets)

    @property
    def keys(self) -> list[str]:
        """All recordings, sorted."""
        return sorted([*self.recordings, *self.failed])

    @property
    def has_labels(self) -> bool:
        """Whether any recording has a label file."""
        return any(one.labels or one.label_failure for one in self.recordings.values())

"""What is known of all recordings of a dataset."""

from collections.abc import Mapping
from dataclasses import dataclass

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.quality.job import RecordingQuality


@dataclass(frozen=True)
class Survey:
    """What was found in all recordings of a dataset.

    Attributes:
        recordings: Those that could be read.
        failed: Why others could not be.
        dataset: What they are recordings of.
    """

    recordings: Mapping[str, RecordingQuality]
    failed: Mapping[str, str]
    dataset: DatasetSettings

    @property
    def keys(self) -> list[str]:
        """All recordings, sorted."""
        return sorted([*self.recordings, *self.failed])

    @property
    def has_labels(self) -> bool:
        """Whether any recording has a label file."""
        return any(one.labels or one.label_failure for one in self.recordings.values())

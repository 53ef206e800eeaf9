"""Validation metrics, computed by the same evaluation as test metrics."""

from collections.abc import Mapping, Sequence

from etram_pipeline.clips.detections import NO_DETECTIONS, DetectionCollector
from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.core.ranks import gather_over_ranks
from etram_pipeline.evaluation import evaluate
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.table import LabelTable


class ValidationScore:
    """Collects the detections of a validation, then evaluates them all at once.

    AP is not a mean over batches or devices, so detections are gathered, not metrics.
    """

    def __init__(
        self,
        labels: Mapping[str, LabelTable],
        downsampled_by: Mapping[str, int],
        class_names: Sequence[str],
        protocol: str,
    ) -> None:
        """Score against `labels`, both mappings by recording."""
        self._labels = labels
        self._collector = DetectionCollector(downsampled_by)
        self._class_names = tuple(class_names)
        self._protocol = protocol

    @property
    def monitor(self) -> str:
        """Name of the metric that selects the best checkpoint."""
        return f"val/{self._protocol}/AP"

    @property
    def num_labels(self) -> int:
        """Number of labelled boxes."""
        return sum(len(table) for table in self._labels.values())

    def add(self, batch: SequenceBatch, detections: Sequence[Detections]) -> None:
        """Take the detections of every keyframe of a batch."""
        self._collector.add(batch, detections)

    def compute(self) -> dict[str, float]:
        """Metrics by name, without those that have no labels; clears the detections."""
        tables = _gather(self._collector.take_all())
        if not self.num_labels:
            return {}
        found = {name: tables.get(name, NO_DETECTIONS) for name in self._labels}
        metrics = evaluate(self._labels, found, self._protocol, class_names=self._class_names)
        return {
            f"val/{self._protocol}/{name}": value
            for name, value in metrics.overall.items()
            if value >= 0
        }


def _gather(tables: dict[str, DetectionTable]) -> dict[str, DetectionTable]:
    """Tables of all devices, which share the recordings."""
    everyones = gather_over_ranks(tables)
    # Where two have read the same recording, the first one's table is taken by all.
    return {name: table for some in reversed(everyones) for name, table in some.items()}

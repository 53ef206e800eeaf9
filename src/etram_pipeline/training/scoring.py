"""Validation metrics, computed by the same evaluation as test metrics."""

from collections.abc import Mapping, Sequence

from etram_pipeline.analysis.calibration import find_calibration
from etram_pipeline.clips.detections import NO_DETECTIONS, DetectionCollector
from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.core.calibration import Calibration
from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.core.ranks import gather_over_ranks
from etram_pipeline.core.scaling_kind import ScalingKind
from etram_pipeline.evaluation import evaluate, find_operating_scores
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH
from etram_pipeline.evaluation.protocols import Choice, resolve_protocol
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.training.monitor import Monitor


class ValidationScore:
    """Collects the detections of a validation, then evaluates them all at once.

    Metrics such as AP are not means over batches or devices, so tables are gathered, not values.

    Attributes:
        operating_scores: Scores with the highest F1 in the last validation; None if nothing was
            right.
        calibration: Scaling that suits the scores of the last validation; None likewise.
    """

    def __init__(
        self,
        labels: Mapping[str, LabelTable],
        downsampled_by: Mapping[str, int],
        class_names: Sequence[str],
        protocol: Choice,
        scaling: ScalingKind = "temperature",
    ) -> None:
        """Score against `labels`, both mappings by recording."""
        self._labels = labels
        self._collector = DetectionCollector(downsampled_by)
        self._class_names = tuple(class_names)
        self._protocol = resolve_protocol(protocol)
        self._scaling = scaling
        self.operating_scores: OperatingScores | None = None
        self.calibration: Calibration | None = None

    @property
    def monitor(self) -> Monitor:
        """The value by which detectors are compared, and those shown beside it."""
        shown = self._protocol.shown("headline")
        return Monitor(
            name=self._name(shown[0].name),
            mode=shown[0].mode,
            titles={self._name(value.name): value.title for value in shown},
        )

    @property
    def num_labels(self) -> int:
        """Number of labelled boxes."""
        return sum(len(table) for table in self._labels.values())

    def add(self, batch: SequenceBatch, detections: Sequence[Detections]) -> None:
        """Take the detections of every keyframe of a batch."""
        self._collector.add(batch, detections)

    def compute(self) -> dict[str, float]:
        """Metrics by full name, without those that lack ground truth; forgets the detections."""
        tables = _gather(self._collector.take_all())
        if not self.num_labels:
            return {}
        found = {name: tables.get(name, NO_DETECTIONS) for name in self._labels}
        compared = (self._labels, found, self._protocol, self._class_names)
        self.operating_scores = find_operating_scores(*compared)
        self.calibration = find_calibration(*compared, kind=self._scaling)
        metrics = evaluate(*compared)
        return {
            self._name(name): value
            for name, value in metrics.overall.items()
            if value != NO_GROUND_TRUTH
        }

    def _name(self, value: str) -> str:
        return f"val/{self._protocol.name}/{value}"


def _gather(tables: dict[str, DetectionTable]) -> dict[str, DetectionTable]:
    """Tables of all devices, which share the recordings."""
    everyones = gather_over_ranks(tables)
    # Where two have read the same recording, the first one's table is taken by all.
    return {name: table for some in reversed(everyones) for name, table in some.items()}

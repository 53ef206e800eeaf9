"""What metrics are computed from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool

from etram_pipeline.evaluation.matching import Frames
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.table import LabelTable

Engine = Literal["numpy", "faster_coco_eval", "pycocotools"]
"""What computes precision and recall; all give the same numbers."""


@dataclass(frozen=True)
class Evidence:
    """Labels and detections of some recordings, compared by one protocol.

    Attributes:
        protocol: The protocol.
        recordings: Names of the recordings.
        labels: Tables of these and maybe other recordings, as they were given.
        detections: Likewise.
        class_names: Classes that count.
        frames: Boxes that count, with detections matched to labels in time; their class ids are
            positions in `class_names`.
        nothing_detected: Whether there are labels, but not a single detection in all recordings
            evaluated.
        engine: What computes precision and recall.
        ground_truth: Fingerprint of the labels that count.
    """

    protocol: Protocol
    recordings: tuple[str, ...]
    labels: Mapping[str, LabelTable]
    detections: Mapping[str, DetectionTable]
    class_names: tuple[str, ...]
    frames: Frames
    nothing_detected: bool = False
    engine: Engine = "numpy"
    ground_truth: str = ""

    def of_recordings(self, wanted: Bool[np.ndarray, " R"]) -> "Evidence":
        """The same for some of the recordings."""
        return replace(
            self,
            recordings=tuple(np.array(self.recordings, dtype=object)[wanted].tolist()),
            frames=self.frames.of_recordings(wanted),
            nothing_detected=False,
        )

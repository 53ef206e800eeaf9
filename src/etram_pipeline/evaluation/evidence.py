"""What metrics are computed from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool

from etram_pipeline.evaluation.matching import Frames
from etram_pipeline.evaluation.outcomes import Compared, Match
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.table import LabelTable

Engine = Literal["compiled", "faster_coco_eval", "pycocotools"]
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
        everything: Boxes that count, of all recordings evaluated, with detections matched to labels
            in time; their class ids are positions in `class_names`.
        nothing_detected: Whether there are labels, but not a single detection in all recordings
            evaluated.
        engine: What computes precision and recall.
        ground_truth: Fingerprint of the labels that count.
        wanted: Which of all recordings evaluated these are; None: all.
        found: What `compare` found so far, for these and all other recordings.
    """

    protocol: Protocol
    recordings: tuple[str, ...]
    labels: Mapping[str, LabelTable]
    detections: Mapping[str, DetectionTable]
    class_names: tuple[str, ...]
    everything: Frames
    nothing_detected: bool = False
    engine: Engine = "compiled"
    ground_truth: str = ""
    wanted: Bool[np.ndarray, " R"] | None = None
    found: dict[tuple[Match, bool], Compared] = field(default_factory=dict, repr=False)

    def of_recordings(self, wanted: Bool[np.ndarray, " R"]) -> "Evidence":
        """The same for some of all recordings; nothing is compared again."""
        return replace(
            self,
            recordings=tuple(np.array(self.recordings, dtype=object)[wanted].tolist()),
            nothing_detected=False,
            wanted=wanted,
        )

    @cached_property
    def frames(self) -> Frames:
        """Boxes of these recordings that count."""
        if self.wanted is None:
            return self.everything
        return self.everything.of_recordings(self.wanted)

    def compare(self, match: Match, *, as_one_class: bool = False) -> Compared:
        """Detections compared with labels, once for all recordings.

        Args:
            match: Compares them, such as `match_classes`.
            as_one_class: Whether all boxes are of one class.
        """
        key = match, as_one_class
        if key not in self.found:
            frames = self.everything.without_classes() if as_one_class else self.everything
            number = 1 if as_one_class else len(self.class_names)
            parts = match(frames, number, self.protocol)
            self.found[key] = Compared(frames, number, self.protocol, parts)
        wanted = None if self.wanted is None else self.wanted[self.everything.recordings]
        return replace(self.found[key], wanted=wanted)

"""Labelled frames: the moments of a recording at which a detector is trained and scored."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from etram_pipeline.labels.table import LabelTable


@dataclass(frozen=True)
class LabelledFrames:
    """Boxes of one recording, grouped by the frame they belong to.

    Attributes:
        labels: Boxes of all frames in order of time, in px of the sensor.
        first_label: Row of each frame's first box; a frame's boxes end where the next one's begin.
        times_us: Time of each frame, in microseconds; ascending.
        interval_us: Regular distance of frames, gaps being multiples of it; 0 if not known.
    """

    labels: LabelTable
    first_label: Int64[np.ndarray, " F"]
    times_us: Int64[np.ndarray, " F"]
    interval_us: int

    def __len__(self) -> int:
        return len(self.times_us)

    def __getitem__(self, frame: int) -> LabelTable:
        """Boxes of one frame."""
        stop = self.first_label[frame + 1] if frame + 1 < len(self) else len(self.labels)
        return self.labels[self.first_label[frame] : stop]

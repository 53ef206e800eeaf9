"""Tracks as text of MOTChallenge, which most evaluators of tracking read.

One row for each box: `frame, id, left, top, width, height, score, class, -1`. Frames, ids and
classes count from 1; the corner is in px of the sensor, whose first pixel is 0. The last column
would be the visible share, which is unknown.

Source: Dendorfer et al., "MOTChallenge: A Benchmark for Single-Camera Multiple Target Tracking",
International Journal of Computer Vision 129, 2021.
"""

from pathlib import Path

import numpy as np

from etram_pipeline.core.files import written_whole
from etram_pipeline.traffic.export.recording import ExportedRecording

SUFFIX = ".mot.txt"

_FORMAT = "%d,%d,%.2f,%.2f,%.2f,%.2f,%.4f,%d,-1"
_ROWS = 50_000
"""Rows formatted at once."""


def write(path: Path, recording: ExportedRecording) -> None:
    """Write the rows of all tracks, in order of time."""
    with written_whole(path) as partial, partial.open("w", encoding="ascii") as file:
        for start in range(0, len(recording.tracks), _ROWS):
            rows = recording.tracks[start : start + _ROWS]
            columns = [
                recording.frames(rows["t"]),
                rows["track_id"],
                *(rows[name] for name in ("x", "y", "w", "h", "score")),
                rows["class_id"] + 1,
            ]
            np.savetxt(file, np.column_stack(columns).astype(np.float64), fmt=_FORMAT)

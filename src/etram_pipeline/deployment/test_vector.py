"""Windows that an exported file holds, with what the detector finds in them."""

import base64
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch

from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.deployment.frames import Frames, Windows
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.detector import Detector, State
from etram_pipeline.streaming.description import TestVector

PLACES = 4
"""Places in the recordings that are tried for windows with detections."""


def detect_in_turn(
    detector: Detector, windows: Windows, suppression: SuppressionSettings
) -> Iterator[Detections]:
    """What a detector finds in each of consecutive windows, from an empty memory."""
    state: State = ()
    for window in windows:
        batch = SequenceBatch(
            frames=torch.from_numpy(window[None, None]),
            starts=torch.zeros(1, dtype=torch.bool),
            keyframes=torch.zeros(1, 2, dtype=torch.int64),
        )
        with torch.inference_mode():
            (found,), state = detector.detect(batch, state, suppression)
        yield found


def choose_windows(
    detector: Detector, frames: Frames, num_windows: int, suppression: SuppressionSettings
) -> Windows:
    """Consecutive windows in which the detector finds more than in others; at most `num_windows`.

    Args:
        detector: The detector, on the CPU.
        frames: Recordings to choose from; some may have fewer windows.
        num_windows: Windows wanted.
        suppression: Which predictions count as found.
    """
    stretches = [
        frames.read(key, start, min(start + num_windows, frames.recordings[key].num_windows))
        for key, start in _places(frames, num_windows)
    ]
    return max(stretches, key=lambda windows: _num_found(detector, windows, suppression))


def _num_found(detector: Detector, windows: Windows, suppression: SuppressionSettings) -> int:
    return sum(len(found.scores) for found in detect_in_turn(detector, windows, suppression))


def _places(frames: Frames, num_windows: int) -> Iterator[tuple[str, int]]:
    """Recordings, and windows to start from, evenly spread."""
    per_recording = max(1, PLACES // len(frames.recordings))
    for key, stored in islice(frames.recordings.items(), PLACES):
        last = max(0, stored.num_windows - num_windows)
        # Not the first window, before which nothing was seen.
        starts = np.linspace(0, last, per_recording + 1)[1:]
        yield from ((key, int(start)) for start in np.unique(starts.astype(int)))


def make_test_vector(
    detector: Detector, windows: Windows, suppression: SuppressionSettings
) -> TestVector:
    """Windows and what the detector finds in them, from an empty memory."""
    found = list(detect_in_turn(detector, windows, suppression))
    packed = zlib.compress(np.ascontiguousarray(windows).tobytes(), level=9)
    return TestVector(
        frames=base64.b64encode(packed).decode(),
        num_windows=len(windows),
        boxes_xyxy=tuple(_rows(each.boxes_xyxy.tolist()) for each in found),
        scores=tuple(tuple(each.scores.tolist()) for each in found),
        class_ids=tuple(tuple(each.class_ids.tolist()) for each in found),
    )


def _rows(boxes: Iterable[list[float]]) -> tuple[tuple[float, float, float, float], ...]:
    return tuple((x1, y1, x2, y2) for x1, y1, x2, y2 in boxes)

"""Small recordings whose road users are known."""

import numpy as np
from benchmarks.junction import HEIGHT, STEP_US, WIDTH

from etram_pipeline.core.etram import CLASSES
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.tracks.following import track_recording
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.settings import TrackSettings
from etram_pipeline.tracks.table import TrackTable

SENSOR = Observed(WIDTH, HEIGHT, 0, 60_000_000)
CAR, PEDESTRIAN = CLASSES.index("car"), CLASSES.index("pedestrian")


def follow(
    detections: DetectionTable,
    times_us: np.ndarray | None = None,
    sensor: Observed = SENSOR,
    class_names: tuple[str, ...] = CLASSES,
    **settings: object,
) -> TrackTable:
    """Tracks; without times, the windows are those with detections."""
    times_us = np.zeros(0, np.int64) if times_us is None else times_us
    chosen = TrackSettings.model_validate(settings)
    return track_recording(detections, times_us, sensor, class_names, chosen)


def driving(
    times_us: np.ndarray, x: np.ndarray | float, y: float = 300, class_id: int = CAR
) -> DetectionTable:
    """Perfect detections of somebody whose left edge is known over time."""
    found = np.zeros(len(times_us), DETECTION_DTYPE)
    found["t"], found["x"], found["y"] = times_us, x, y
    found["w"], found["h"], found["class_id"], found["score"] = 80, 50, class_id, 0.9
    return found


def windows(seconds: float, step_us: int = STEP_US) -> np.ndarray:
    """Ends of even windows."""
    return np.arange(1, round(seconds * 1e6 / step_us) + 1) * step_us


def passing(seconds: float, speed: float = 100.0, step_us: int = STEP_US) -> DetectionTable:
    """Somebody who crosses the picture at constant speed, in px/s."""
    times_us = windows(seconds, step_us)
    return driving(times_us, 50 + speed * times_us / 1e6)


def stopping(
    rest_s: float = 10, step_us: int = STEP_US, class_id: int = CAR
) -> tuple[DetectionTable, np.ndarray]:
    """Somebody who brakes in 2 s, is not seen while standing, and sets off; and all windows."""
    times_us = windows(6 + rest_s + 4, step_us)
    time_s = times_us / 1e6
    braking_s, going_s = (time_s - 4).clip(0, 2), (time_s - 6 - rest_s).clip(0)
    x = 50 + 120 * time_s.clip(None, 4) + 120 * braking_s - 30 * braking_s**2 + 40 * going_s**2
    stands = (time_s > 5.9) & (time_s < 6.1 + rest_s)
    return driving(times_us, x, class_id=class_id)[~stands], times_us

"""A sensor before which boxes move, and the small detector that follows them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tests.exported import ENCODING, describe, write_exported
from tests.streaming.streams import EVENT, Table

from etram_pipeline.events.recording import open_recording
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.streaming.chunks import Chunk
from etram_pipeline.streaming.model import ExportedModel
from etram_pipeline.streaming.stream import DetectionStream, WindowResult
from etram_pipeline.tracks.trackers import TrackerConfig

HEIGHT, WIDTH = 64, 128
SUPPRESSION = SuppressionSettings(score_threshold=0.02)
TRACKER = TrackerConfig.model_validate(
    {"kind": "static_camera", "low_score": 0.02, "high_score": 0.05, "start_score": 0.05}
)


def moving(stop_us: int, start_us: int = 0, seed: int = 0, rate_hz: int = 20_000) -> Table:
    """Events of two boxes of 30 px that cross the sensor, one per second, and of noise."""
    rng = np.random.default_rng(seed)
    number = (stop_us - start_us) * rate_hz // 1_000_000
    events = np.zeros(number, EVENT)
    events["t"] = np.sort(rng.integers(start_us, stop_us, number))
    left = (events["t"] - start_us) * WIDTH // 1_000_000
    upper = rng.integers(0, 2, number) > 0
    events["x"] = np.where(upper, left, WIDTH - left) % WIDTH + rng.integers(-15, 15, number)
    events["y"] = np.where(upper, 2, 34) + rng.integers(0, 28, number)
    events["p"] = rng.integers(0, 2, number)
    noise = rng.random(number) < 0.1
    events["x"][noise] = rng.integers(0, WIDTH, noise.sum())
    return events


def exported(folder: Path, encoding: EncodingSettings = ENCODING) -> ExportedModel:
    """The detector for this sensor."""
    about = describe(HEIGHT // 2, WIDTH // 2, encoding=encoding, downsampled_by=2)
    return ExportedModel(write_exported(folder / "detector.onnx", about))


def stream(folder: Path, **options: object) -> DetectionStream:
    """A stream of this sensor."""
    given = {"suppression": SUPPRESSION} | options
    return DetectionStream(exported(folder), HEIGHT, WIDTH, **given)  # type: ignore[arg-type]


def results(stream: DetectionStream, chunks: Iterable[Chunk]) -> list[WindowResult]:
    """Results of all windows, to the end of the stream."""
    found = [result for chunk in chunks for result in stream.push(chunk)]
    return [*found, *stream.finish()]


def together(found: Iterable[WindowResult]) -> DetectionTable:
    """Detections of all windows."""
    return np.concatenate([result.detections for result in found])


def as_recording(folder: Path, events: Table) -> Path:
    """A file with these events."""
    path = folder / "events.npy"
    np.save(path, events)
    assert open_recording(path, size=(HEIGHT, WIDTH)).num_events == len(events)
    return path

"""A detector that tells when it detects, in a live stream."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Integer
from tests.exported import ENCODING, describe, write_exported
from tests.streaming.moving import HEIGHT, SUPPRESSION, WIDTH
from tests.streaming.streams import Table
from typing_extensions import override

from etram_pipeline.streaming.live import LiveReport
from etram_pipeline.streaming.model import ExportedModel
from etram_pipeline.streaming.selection import RawPredictions
from etram_pipeline.streaming.stream import DetectionStream

PATIENCE_S = 60


class Watched(ExportedModel):
    """The small detector; does something whenever it detects."""

    on_step: Callable[[], object] = staticmethod(lambda: None)

    @override
    def step(self, frames: Integer[np.ndarray, "B C H W"]) -> RawPredictions:
        self.on_step()
        return super().step(frames)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    about = describe(HEIGHT // 2, WIDTH // 2, encoding=ENCODING, downsampled_by=2)
    return Watched(write_exported(tmp_path / "watched.onnx", about))


def watching(model: Watched, hold: int = 5) -> DetectionStream:
    return DetectionStream(model, HEIGHT, WIDTH, suppression=SUPPRESSION, hold=hold)


def wait_for(event: threading.Event) -> None:
    assert event.wait(PATIENCE_S), "the other thread does not come this far"


def windows_of(events: Table) -> list[Table]:
    """The events of each window, so that a chunk completes the window before it."""
    borders = np.arange(50_000, int(events["t"][-1]) + 50_000, 50_000)
    return np.split(events, np.searchsorted(events["t"], borders, side="right")[:-1])


def adds_up(report: LiveReport) -> bool:
    known = report.detected + report.held + report.skipped + report.unread
    return report.windows == known

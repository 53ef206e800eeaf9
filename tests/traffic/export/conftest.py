"""Tracks to export."""

from datetime import datetime

import numpy as np
import pytest

from etram_pipeline.core.etram import CLASSES
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import BRIDGED, TrackTable, empty_tracks
from etram_pipeline.traffic.export.recording import ExportedRecording


def moving(track_id: int, class_id: int, steps: range, speed_px: float = 10) -> TrackTable:
    """A box of 20 x 10 px that moves to the right from column 100, seen every 50 ms."""
    rows = empty_tracks(len(steps))
    rows["t"] = 50_000 * np.array(steps)
    rows["x"] = 100 + speed_px * np.arange(len(steps))
    rows["y"], rows["w"], rows["h"], rows["score"] = 50 * track_id, 20, 10, 0.875
    rows["track_id"], rows["class_id"] = track_id, class_id
    return rows


def in_order(*tracks: TrackTable) -> TrackTable:
    """Tracks as one table, in order of time, then id."""
    table = np.concatenate(tracks)
    return table[np.lexsort((table["track_id"], table["t"]))]


@pytest.fixture
def recording() -> ExportedRecording:
    """A car for six windows, and from the third window on a wheelchair for three."""
    car, wheelchair = moving(1, 1, range(1, 7)), moving(2, 7, range(3, 6))
    car["state"][2] = BRIDGED
    return ExportedRecording(
        name="test/street",
        tracks=in_order(car, wheelchair),
        class_names=CLASSES,
        observed=Observed(1280, 720, 0, 500_000, datetime(2026, 6, 1, 7, 30)),
    )

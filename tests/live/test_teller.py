"""From what a stream found to what is told of it."""

import numpy as np
import pytest

from etram_pipeline.labels.detections import DETECTION_DTYPE
from etram_pipeline.live.teller import Teller
from etram_pipeline.streaming.live import LiveResult
from etram_pipeline.streaming.stream import WindowResult
from etram_pipeline.tracks.table import empty_tracks

NAMES = ("car", "tram")
COLUMNS = ("x", "y", "w", "h", "class_id", "score")


def found(*rows: tuple[float, ...], track_of: int | None = None) -> LiveResult:
    """A window with detections `x, y, w, h, class_id, score`, one of which a tram's track has."""
    detections = np.zeros(len(rows), DETECTION_DTYPE)
    for name, values in zip(COLUMNS, zip(*rows, strict=True), strict=True):
        detections[name] = values
    tracks = empty_tracks(0 if track_of is None else 1)
    if track_of is not None:
        for name in ("x", "y", "w", "h", "score"):
            tracks[name] = detections[name][track_of]
        tracks["w"] = np.minimum(tracks["x"] + tracks["w"], 64) - tracks["x"]
        tracks["track_id"], tracks["class_id"] = 7, 1
        tracks["detected_class_id"] = detections["class_id"][track_of]
    result = WindowResult(100_000, detections, tracks, num_events=5)
    return LiveResult(result, gathered_ms=1.0, waited_ms=2.0, computed_ms=4.5, num_skipped=3)


def test_boxes_are_told_best_first_with_their_names() -> None:
    shown = Teller(NAMES, (40, 64), 0.3).tell(
        found((1, 2, 3, 4, 0, 0.5), (5, 6, 7, 8, 1, 0.75), (9, 9, 9, 9, 0, 0.29))
    )
    line = shown.line
    assert [(box.x, box.y, box.w, box.h) for box in line.boxes] == [(5, 6, 7, 8), (1, 2, 3, 4)]
    assert [(box.class_name, box.score) for box in line.boxes] == [("tram", 0.75), ("car", 0.5)]
    assert (line.t, line.events, line.skipped, line.held) == (100_000, 5, 3, False)
    assert line.latency_ms == 7.5
    assert len(shown.detections) == 2


def test_a_box_has_the_id_and_the_class_of_its_track() -> None:
    shown = Teller(NAMES, (40, 64), 0.3).tell(
        found((1, 2, 3, 4, 0, 0.5), (50, 6, 20, 8, 0, 0.4), track_of=1)
    )
    assert [(box.track_id, box.class_name) for box in shown.line.boxes] == [
        (None, "car"),
        (7, "tram"),
    ]
    assert shown.line.boxes[1].w == 14, "cut at the border of the sensor, as tracks are"


@pytest.mark.parametrize(
    "row", [(70, 2, 3, 4, 0, 0.5), (np.nan, 2, 3, 4, 0, 0.5), (1, 2, 0, 4, 0, 0.5)]
)
def test_what_is_no_box_on_the_sensor_is_not_told(row: tuple[float, ...]) -> None:
    assert Teller(NAMES, (40, 64), 0.3).tell(found(row)).line.boxes == ()


def test_tracks_below_the_score_are_not_told() -> None:
    shown = Teller(NAMES, (40, 64), 0.45).tell(found((1, 2, 3, 4, 0, 0.4), track_of=0))
    assert shown.line.boxes == ()
    assert shown.tracks is not None
    assert len(shown.tracks) == 0

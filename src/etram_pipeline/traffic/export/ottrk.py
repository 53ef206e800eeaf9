"""Tracks as OpenTrafficCam's OTAnalytics reads them: JSON, compressed by bzip2.

Boxes are given by their upper left corner, times in seconds since 1970. OTAnalytics ignores tracks
of fewer than 5 or more than 12 000 boxes.

Source: files of OpenTrafficCam's OTVision, `otdet_version` 1.2, `ottrk_version` 1.1.
"""

import bz2
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from etram_pipeline.core.files import written_whole
from etram_pipeline.tracks.table import SEEN, TrackTable
from etram_pipeline.traffic.export.recording import ExportedRecording
from etram_pipeline.traffic.export.road_users import road_user

SUFFIX = ".ottrk"

_DETECTION = (
    '{"class": %s, "confidence": %.4f, "x": %.2f, "y": %.2f, "w": %.2f, "h": %.2f, "frame": %d, '
    '"occurrence": %.6f, "input_file_path": %s, "interpolated-detection": %s, "first": %s, '
    '"finished": %s, "track-id": %d}'
)
_ROWS = 20_000
"""Rows formatted at once."""

_BOOLEANS = ("false", "true")


def write(path: Path, recording: ExportedRecording) -> None:
    """Write metadata and all boxes, in order of time."""
    metadata = json.dumps(_metadata(recording), ensure_ascii=False)
    first, last = _ends(recording.tracks)
    with written_whole(path) as partial, bz2.open(partial, "wt", encoding="utf-8") as file:
        file.write(f'{{"metadata": {metadata}, "data": {{"detections": [')
        for start in range(0, len(recording.tracks), _ROWS):
            part = slice(start, start + _ROWS)
            file.write(", " if start else "")
            file.write(", ".join(_detections(recording, part, first[part], last[part])))
        file.write("]}}")


def _ends(table: TrackTable) -> tuple[Bool[np.ndarray, " N"], Bool[np.ndarray, " N"]]:
    """Whether each row is the first, and whether it is the last, of its track."""
    first, last = np.zeros(len(table), bool), np.zeros(len(table), bool)
    first[np.unique(table["track_id"], return_index=True)[1]] = True
    backwards = np.unique(table["track_id"][::-1], return_index=True)[1]
    last[len(table) - 1 - backwards] = True
    return first, last


def _detections(
    recording: ExportedRecording,
    part: slice,
    first: Bool[np.ndarray, " N"],
    last: Bool[np.ndarray, " N"],
) -> Iterator[str]:
    rows = recording.tracks[part]
    names = [json.dumps(road_user(name)) for name in recording.class_names]
    source = json.dumps(f"{_video(recording)}.otdet")
    columns = [
        *(rows[name].tolist() for name in ("class_id", "score", "x", "y", "w", "h")),
        recording.frames(rows["t"]).tolist(),
        (recording.epoch_s + rows["t"] / 1e6).tolist(),
        (rows["state"] != SEEN).tolist(),
        first.tolist(),
        last.tolist(),
        rows["track_id"].tolist(),
    ]
    for class_id, score, x, y, w, h, frame, time_s, filled, is_first, is_last, track in zip(
        *columns, strict=True
    ):
        yield _DETECTION % (
            names[class_id],
            score,
            *(x, y, w, h, frame, time_s, source),
            *(_BOOLEANS[each] for each in (filled, is_first, is_last)),
            track,
        )


def _video(recording: ExportedRecording) -> str:
    """A name as OpenTrafficCam gives to videos; OTAnalytics refuses other names."""
    start = datetime.fromtimestamp(recording.epoch_s, UTC)
    rate = round(1e6 / recording.step_us)
    return f"{Path(recording.name).name}_FR{rate}_{start:%Y-%m-%d_%H-%M-%S}"


def _metadata(recording: ExportedRecording) -> dict[str, Any]:
    """What OTAnalytics wants to know about the video, the detector and the tracker."""
    rate = 1e6 / recording.step_us
    start_s = recording.epoch_s + recording.observed.start_us / 1e6
    names = dict(enumerate(map(road_user, recording.class_names)))
    return {
        "otdet_version": "1.2",
        "video": {
            "filename": _video(recording),
            "filetype": ".mp4",
            "width": recording.observed.width,
            "height": recording.observed.height,
            "recorded_fps": rate,
            "actual_fps": rate,
            "number_of_frames": recording.num_frames,
            "recorded_start_date": start_s,
            "expected_duration": recording.seconds,
            "length": str(timedelta(seconds=round(recording.seconds))),
        },
        "detection": {
            "otvision_version": "0.0",
            "model": {
                "name": "etram_pipeline",
                "weights": "",
                "iou_threshold": 0,
                "image_size": 0,
                "max_confidence": 0,
                "half_precision": False,
                "classes": names,
            },
            "chunksize": 1,
            "normalized_bbox": False,
        },
        "ottrk_version": "1.1",
        "tracking": {
            "otvision_version": "0.0",
            "tracking_run_id": recording.name,
            "frame_group": "0",
            "first_tracked_video_start": start_s,
            "last_tracked_video_end": start_s + recording.seconds,
            "tracker": {
                "name": "etram_pipeline",
                "sigma_l": 0,
                "sigma_h": 0,
                "sigma_iou": 0,
                "t_min": 0,
                "t_miss_max": 0,
            },
        },
    }

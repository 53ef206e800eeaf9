"""Tracks as GeoJSON: a line string of ground points for each track.

Places are metres on the ground where the site has known ground points, and otherwise px whose rows
go up: QGIS places a picture without a place on the map in this way. The member `unit` says which.
Tracks of which fewer than two places are known are left out, since a line needs two.

Source: RFC 7946; its coordinates would be degrees, so the reader has to be told that these are not.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from etram_pipeline.tracks.table import TrackTable
from etram_pipeline.traffic.export.features import feature, write_features
from etram_pipeline.traffic.export.recording import ExportedRecording

SUFFIX = ".geojson"


def write(path: Path, recording: ExportedRecording) -> None:
    """Write one feature for each track, in order of ids."""
    is_metric = bool(np.isfinite(recording.tracks["x_m"]).any())
    features = _features(recording, is_metric=is_metric)
    write_features(path, features, unit="m" if is_metric else "px")


def _features(recording: ExportedRecording, *, is_metric: bool) -> Iterator[dict[str, Any]]:
    for track in _tracks(recording.tracks):
        if is_metric:
            places = np.column_stack([track["x_m"], track["y_m"]])
        else:
            middle = track["x"] + track["w"] / 2
            places = np.column_stack([middle, -(track["y"] + track["h"])])
        is_known = np.isfinite(places).all(axis=1)
        if np.count_nonzero(is_known) > 1:
            rounded = np.round(places[is_known].astype(np.float64), 2)
            yield feature("LineString", rounded.tolist(), **_properties(track[is_known], recording))


def _properties(track: TrackTable, recording: ExportedRecording) -> dict[str, object]:
    begin_us, end_us = int(track["t"][0]), int(track["t"][-1])
    started_at = recording.observed.started_at
    clock = (
        {}
        if started_at is None
        else {
            "begin": (started_at + timedelta(microseconds=begin_us)).isoformat(),
            "end": (started_at + timedelta(microseconds=end_us)).isoformat(),
        }
    )
    speeds = track["speed_m_s"][np.isfinite(track["speed_m_s"])]
    return {
        "track_id": int(track["track_id"][0]),
        "class": recording.class_names[int(track["class_id"][0])],
        "begin_s": begin_us / 1e6,
        "end_s": end_us / 1e6,
        **clock,
        "median_speed_m_s": round(float(np.median(speeds)), 2) if len(speeds) else None,
        "seconds": np.round((track["t"] - begin_us) / 1e6, 3).tolist(),
    }


def _tracks(table: TrackTable) -> Iterator[TrackTable]:
    """The rows of each track in order of time, one track after the other."""
    order = np.argsort(table["track_id"], kind="stable")
    ids = table["track_id"][order]
    bounds = np.flatnonzero(np.diff(ids)) + 1
    for rows in np.split(order, bounds):
        if len(rows):
            yield table[rows]

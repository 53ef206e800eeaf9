"""Frames and clock of an exported recording."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np

from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import empty_tracks
from etram_pipeline.traffic.export.recording import ExportedRecording


def test_frames_are_the_windows_from_one(recording: ExportedRecording) -> None:
    assert recording.step_us == 50_000
    assert recording.num_frames == 10
    assert recording.frames(recording.tracks["t"]).tolist() == [1, 2, 3, 3, 4, 4, 5, 5, 6]


def test_windows_without_tracks_count_too(recording: ExportedRecording) -> None:
    late = replace(recording, tracks=recording.tracks[recording.tracks["t"] >= 200_000])
    assert late.frames(late.tracks["t"]).tolist() == [4, 4, 5, 5, 6]


def test_given_times_of_uneven_windows_number_the_frames(recording: ExportedRecording) -> None:
    times_us = np.array([10_000, 50_000, 100_000, 150_000, 200_000, 230_000, 250_000, 300_000])
    uneven = replace(recording, times_us=times_us)
    assert uneven.frames(np.array([50_000, 250_000])).tolist() == [2, 7]
    assert uneven.num_frames == 8
    assert uneven.step_us == 50_000


def test_frames_of_uneven_windows_differ_without_given_times(recording: ExportedRecording) -> None:
    tracks = empty_tracks(5)
    tracks["t"] = times_us = np.array([50_000, 77_000, 100_000, 191_000, 214_000])
    frames = replace(recording, tracks=tracks).frames(times_us)
    assert (np.diff(frames) > 0).all()


def test_times_between_windows_have_frames_of_their_own(recording: ExportedRecording) -> None:
    """Detections of another program at 30 Hz, where windows end at 20 Hz."""
    tracks = empty_tracks(15)
    tracks["t"] = times_us = np.rint(1e6 / 30 * np.arange(1, 16)).astype(np.int64)
    windows_us = 50_000 * np.arange(1, 11)
    at_30_hz = replace(recording, tracks=tracks, times_us=windows_us)
    assert at_30_hz.frames(times_us).tolist() == list(range(1, 16))
    assert (at_30_hz.num_frames, at_30_hz.step_us) == (15, 33_333)


def test_nothing_tracked_is_one_long_frame(recording: ExportedRecording) -> None:
    empty = replace(recording, tracks=empty_tracks())
    assert (empty.num_frames, empty.step_us, empty.seconds) == (1, 500_000, 0.5)


def test_clock_is_that_of_the_place(recording: ExportedRecording) -> None:
    wall = datetime(2026, 6, 1, 7, 30)
    expected = wall.replace(tzinfo=UTC).timestamp()
    assert recording.epoch_s == expected
    for zone in (UTC, timezone(timedelta(hours=2))):
        observed = Observed(1280, 720, 0, 500_000, wall.replace(tzinfo=zone))
        assert replace(recording, observed=observed).epoch_s == expected
    assert replace(recording, observed=Observed(1280, 720, 0, 1)).epoch_s == 0

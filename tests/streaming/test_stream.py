"""Detections and tracks of a stream."""

from pathlib import Path

import numpy as np
import pytest
from tests.streaming.moving import (
    HEIGHT,
    SUPPRESSION,
    TRACKER,
    WIDTH,
    as_recording,
    exported,
    moving,
    results,
    stream,
    together,
)
from tests.streaming.streams import parts

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.events.encode import encode
from etram_pipeline.events.recording import open_recording
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.streaming.chunks import NEW_CLOCK
from etram_pipeline.streaming.selection import select
from etram_pipeline.streaming.stream import DetectionStream, WindowResult, as_table
from etram_pipeline.tracks.following import track_recording
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.settings import TrackSettings
from etram_pipeline.tracks.table import TRACK_DTYPE


def stored(folder: Path, path: Path) -> tuple[np.ndarray, DetectionTable]:
    """Ends of the windows of a recording, and what is detected in them one after another."""
    model, recording = exported(folder), open_recording(path, size=(HEIGHT, WIDTH))
    about = model.description
    plan = about.encoding.windows.plan(np.empty(0, np.int64), 0, recording)
    images = encode(recording, plan, about.encoding.representation.build(HEIGHT, WIDTH))
    tables = []
    for stop_us, image in zip(plan.stop_us.tolist(), images, strict=True):
        (found,) = select(model.step(image[None]), about, SUPPRESSION)
        tables.append(as_table(found, stop_us, about.downsampled_by))
    return plan.stop_us, np.concatenate(tables)


@pytest.mark.parametrize("sizes", [[], [1] * 500, [777] * 100])
def test_a_stream_detects_what_is_detected_in_a_recording(tmp_path: Path, sizes: list[int]) -> None:
    silent = np.concatenate([moving(1_200_000), moving(2_400_000, 1_600_000)])
    stops, wanted = stored(tmp_path, as_recording(tmp_path, silent))

    found = results(stream(tmp_path, hold=0), parts(silent, sizes))

    assert len(wanted) > 100
    assert [result.stop_us for result in found] == stops.tolist()
    assert together(found).dtype == DETECTION_DTYPE
    np.testing.assert_array_equal(together(found), wanted)
    assert not any(result.is_held for result in found)


def test_tracks_are_those_of_online_tracking(tmp_path: Path) -> None:
    events = moving(3_000_000)

    found = results(stream(tmp_path, tracker=TRACKER, hold=0), parts(events, [5000] * 20))

    stops = np.array([result.stop_us for result in found])
    wanted = track_recording(
        together(found),
        stops,
        Observed(WIDTH, HEIGHT, 0, 3_000_000),
        ("pedestrian", "car", "tram"),
        TrackSettings(online=True, tracker=TRACKER),
    )
    tracks = np.concatenate([result.tracks for result in found if result.tracks is not None])
    assert len(wanted) > 50
    assert len(np.unique(wanted["track_id"])) > 5
    assert tracks.dtype == TRACK_DTYPE
    assert tracks.tobytes() == wanted.tobytes()  # NaN differs from itself


def test_boxes_are_held_for_a_while_when_no_event_comes(tmp_path: Path) -> None:
    watched = stream(tmp_path, tracker=TRACKER, hold=3)
    last = results_until(watched, moving(1_000_000))[-1]

    found = list(watched.advance(1_300_001))

    assert [result.stop_us for result in found] == list(range(1_050_000, 1_300_001, 50_000))[:6]
    assert [result.is_held for result in found] == [True] * 6
    number = len(last.detections)
    assert number > 0
    assert [len(result.detections) for result in found] == [number, number, number, 0, 0, 0]
    assert found[0].tracks is not None
    assert last.tracks is not None
    assert len(found[0].tracks) == len(last.tracks)
    for result in found[:3]:
        assert set(result.detections["t"].tolist()) == {result.stop_us}
        for column in ("x", "y", "w", "h", "score", "class_id"):
            np.testing.assert_array_equal(result.detections[column], last.detections[column])
    counts = watched.counts
    assert (counts.num_detected, counts.num_held, counts.num_forgotten) == (20, 6, 1)


def results_until(watched: DetectionStream, events: np.ndarray) -> list[WindowResult]:
    """Results of the windows that a second of events fills."""
    return [*watched.push(events), *watched.advance(1_000_001)]


def test_what_was_seen_before_a_short_silence_is_remembered(tmp_path: Path) -> None:
    events = moving(1_500_000)
    kept = (events["t"] <= 1_000_000) | (events["t"] > 1_100_000)

    found = results(stream(tmp_path, hold=3), [events[kept]])
    again = results(stream(tmp_path, hold=1), [events[kept]])
    fresh = results(stream(tmp_path, hold=3), [events[events["t"] > 1_100_000]])

    def after(some: list[WindowResult]) -> np.ndarray:
        return next(r.detections for r in some if r.stop_us == 1_150_000)

    assert len(after(found)) != len(after(fresh)) or (after(found) != after(fresh)).any()
    np.testing.assert_array_equal(after(again), after(fresh))


def test_a_new_clock_empties_the_memory_and_uses_no_id_again(tmp_path: Path) -> None:
    events = moving(1_000_000)
    first = results(stream(tmp_path, tracker=TRACKER), [events])

    found = results(stream(tmp_path, tracker=TRACKER), [events, NEW_CLOCK, events])

    assert [result.is_start for result in found] == 2 * ([True] + [False] * 19)
    np.testing.assert_array_equal(together(found[:20]), together(first))
    np.testing.assert_array_equal(together(found[20:]), together(first))
    ids = [set(tracks_of(part)) for part in (found[:20], found[20:])]
    assert ids[0] == set(range(1, len(ids[0]) + 1))
    assert ids[1] == {number + len(ids[0]) for number in ids[0]}


def tracks_of(found: list[WindowResult]) -> list[int]:
    """Ids of all tracks."""
    tables = [result.tracks for result in found if result.tracks is not None]
    return [int(number) for table in tables for number in table["track_id"]]


def test_boxes_are_in_px_of_the_sensor(tmp_path: Path) -> None:
    table = together(results(stream(tmp_path), [moving(500_000)]))

    assert (table["w"] == 16).all()
    assert table["x"].max() > WIDTH / 2
    assert (table["x"] + table["w"]).max() <= WIDTH
    assert set(np.unique(table["track_id"])) == {0}
    np.testing.assert_array_equal(table["class_confidence"], table["class_score"])


def test_thresholds_are_those_of_the_file_unless_others_are_given(tmp_path: Path) -> None:
    events = moving(300_000)
    plain = exported(tmp_path)
    assert plain.description.suppression.score_threshold < SUPPRESSION.score_threshold

    of_file = together(results(stream(tmp_path, suppression=None), [events]))
    given = together(results(stream(tmp_path), [events]))

    assert of_file["score"].min() < SUPPRESSION.score_threshold <= given["score"].min()


def test_frames_are_kept_if_wanted(tmp_path: Path) -> None:
    events = moving(300_000)

    kept = results(stream(tmp_path, keep_frames=True), [events])
    assert all(result.frame is None for result in results(stream(tmp_path), [events]))

    counts = [int(result.frame.sum()) for result in kept if result.frame is not None]
    assert len(counts) == 6
    assert len({id(result.frame) for result in kept}) == 6
    assert min(counts) > 100


def test_nothing_that_warms_up_shows(tmp_path: Path) -> None:
    events = moving(500_000)
    warm = stream(tmp_path, tracker=TRACKER)
    warm.warm_up()

    np.testing.assert_array_equal(
        together(results(warm, [events])), together(results(stream(tmp_path), [events]))
    )
    assert warm.counts.num_detected == 10


def test_a_detector_of_another_sensor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"480 x 640 px gives frames of 240 x 320.*sensor of 64 x 128 px"
    ):
        DetectionStream(exported(tmp_path), 480, 640)


def test_boxes_are_not_held_for_a_negative_time(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="hold"):
        stream(tmp_path, hold=-1)

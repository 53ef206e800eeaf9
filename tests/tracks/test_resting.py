"""Road users that stop vanish from the events, and continue their track when they set off."""

import numpy as np
import pytest
from tests.tracks.scenes import PEDESTRIAN, SENSOR, driving, follow, stopping, windows

from etram_pipeline.core.etram import CLASSES, SUPER_CLASSES
from etram_pipeline.tracks.table import RESTED, SEEN


@pytest.mark.parametrize("step_us", [10_000, 33_333, 50_000, 100_000])
@pytest.mark.parametrize("rest_s", [2.0, 10.0, 60.0])
def test_a_stopped_vehicle_continues_its_track(rest_s: float, step_us: int) -> None:
    found, times_us = stopping(rest_s, step_us)
    tracks = follow(found, times_us)
    assert set(tracks["track_id"]) == {1}
    stands = tracks["state"] == RESTED
    assert stands.sum() * step_us / 1e6 == pytest.approx(rest_s + 0.2, abs=0.35)
    assert np.ptp(tracks["x"][stands]) < 10
    assert set(tracks["state"][~stands]) == {SEEN}


def test_a_live_system_gives_it_the_same_id_again() -> None:
    found, times_us = stopping()
    tracks = follow(found, times_us, online=True)
    assert set(tracks["track_id"]) == {1}
    assert set(tracks["state"]) == {SEEN}
    assert np.diff(tracks["t"]).max() > 10_000_000


def test_nobody_rests_longer_than_the_setting() -> None:
    found, times_us = stopping(rest_s=10)
    assert set(follow(found, times_us, tracker={"rest_s": 9})["track_id"]) == {1, 2}
    assert set(follow(found, times_us, tracker={"rest_s": 0})["track_id"]) == {1, 2}


def test_pedestrians_do_not_rest() -> None:
    found, times_us = stopping(class_id=PEDESTRIAN)
    assert set(follow(found, times_us)["track_id"]) == {1, 2}
    resting = {"rest_groups": ["pedestrian"]}
    assert set(follow(found, times_us, tracker=resting)["track_id"]) == {1}


@pytest.mark.parametrize(
    ("class_names", "rests"),
    [
        (tuple(SUPER_CLASSES), [False, True, True]),
        (CLASSES, [False, True, True, True, True, True, True, True]),
        (("lorry", "pedestrian", "rickshaw"), [True, False, True]),
    ],
)
def test_who_rests_is_decided_by_the_name_of_the_class(
    class_names: tuple[str, ...], rests: list[bool]
) -> None:
    for class_id, is_one in enumerate(rests):
        found, times_us = stopping(class_id=class_id)
        tracks = follow(found, times_us, class_names=class_names)
        assert set(tracks["track_id"]) == ({1} if is_one else {1, 2}), class_names[class_id]


def test_somebody_of_another_group_does_not_continue_the_track() -> None:
    found, times_us = stopping()
    found["class_id"][found["t"] > 10_000_000] = PEDESTRIAN
    assert set(follow(found, times_us)["track_id"]) == {1, 2}


def test_somebody_who_drives_past_does_not_continue_the_track() -> None:
    found, times_us = stopping(rest_s=20)
    where = found["x"][found["t"] <= 10_000_000].max()
    passes = windows(2) + 10_000_000
    other = driving(passes, where + 300 * (passes / 1e6 - 11))
    tracks = follow(np.concatenate([found, other]), times_us)
    assert len(np.unique(tracks["track_id"])) == 2
    first = tracks[tracks["track_id"] == 1]
    assert first["t"].max() > 29_000_000


def test_somebody_who_is_hidden_while_moving_does_not_rest() -> None:
    times_us = windows(12)
    found = driving(times_us, 50 + 100 * times_us / 1e6)
    hidden = found[(found["t"] < 4_000_000) | (found["t"] > 6_000_000)]
    assert set(follow(hidden, times_us)["track_id"]) == {1, 2}


@pytest.mark.parametrize("side", ["left", "right"])
def test_somebody_who_enters_where_another_left_is_another_one(side: str) -> None:
    times_us = windows(14)
    time_s, width = times_us / 1e6, 200
    leaving = np.maximum(500 - 80 * time_s, 100 - 40 * (time_s - 5))  # it slows down on its way
    entering = -width + 40 * (time_s - 9)
    parts = []
    for left, least in ((leaving, 130), (entering, 60)):
        found = driving(times_us, left)
        right = (left + width).clip(0)
        found["x"], found["w"] = left.clip(0), right - left.clip(0)  # cut at the border
        parts.append(found[found["w"] > least])
    found = np.concatenate(parts)
    if side == "right":
        found["x"] = SENSOR.width - found["x"] - found["w"]

    tracks = follow(found, times_us)

    assert set(tracks["track_id"]) == {1, 2}
    assert not (tracks["state"] == RESTED).any()

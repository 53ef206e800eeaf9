import itertools
from collections import Counter

import numpy as np
import pytest

from etram_pipeline.core import etram
from etram_pipeline.scene.camera import place_camera
from etram_pipeline.scene.settings import SceneSettings
from etram_pipeline.scene.signal import Signal
from etram_pipeline.scene.traffic import RoadUser, plan_lanes, plan_traffic

SEEDS = range(12)
SIGNAL = Signal(first_s=10, brake_s=2, halt_s=8, cycle_s=30)


def street(seed: int, **changes: object) -> list[RoadUser]:
    settings = SceneSettings.model_validate(changes)
    rng = np.random.default_rng(seed)
    camera = place_camera(settings, rng)
    return plan_traffic(plan_lanes(rng, settings.density, settings.signal), camera, settings, rng)


@pytest.mark.parametrize("seed", SEEDS)
def test_all_classes_appear_in_every_street(seed: int) -> None:
    assert {user.class_name for user in street(seed)} == set(etram.CLASSES)


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_runs_into_another_of_the_same_lane(seed: int) -> None:
    times_s = np.linspace(0, 60, 200)
    users = street(seed, duration_s=60.0, signal=SIGNAL if seed % 2 else None)
    for lane in {id(user.lane): user.lane for user in users}.values():
        queue = [user for user in users if user.lane is lane]
        queue.sort(key=lambda user: -user.start_m)
        for ahead, behind in itertools.pairwise(queue):
            gap_m = lane.direction * (ahead.along_m(times_s) - behind.along_m(times_s))
            assert (gap_m > (ahead.size_m[0] + behind.size_m[0]) / 2).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_everybody_moves_on_and_never_back(seed: int) -> None:
    for user in street(seed):
        assert (np.diff(user.along_m(np.linspace(0, 5, 100))) * user.lane.direction > 0).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("signal", [None, SIGNAL])
def test_nobody_is_in_reach_outside_its_time(seed: int, signal: Signal | None) -> None:
    times_s = np.linspace(0, 60, 3000)
    for user in street(seed, duration_s=60.0, signal=signal):
        enters_s, leaves_s = user.present_s(20.0)
        near_s = times_s[np.abs(user.along_m(times_s)) <= 20]
        assert ((near_s >= enters_s) & (near_s <= leaves_s)).all()
        driving_s = leaves_s - enters_s
        if user.lane.signal is not None:
            driving_s = np.diff(user.lane.signal.driven_s(np.array([enters_s, leaves_s])))[0]
        assert driving_s < 3 * (40 / user.lane.speed_m_s)


def test_red_light_halts_all_but_those_on_the_pavement() -> None:
    standing_s, going_s = np.array([12.5, 19.5]), np.array([5.0, 9.5])
    users = street(0, duration_s=30.0, signal=SIGNAL)
    halted = {user.class_name for user in users if np.ptp(user.along_m(standing_s)) == 0}
    assert halted == set(etram.CLASSES) - {"pedestrian", "wheelchair"}
    assert all(np.ptp(user.along_m(going_s)) > 1 for user in users)


def test_road_users_come_farthest_first_with_a_number_each() -> None:
    users = street(0)
    assert [user.across_m for user in users] == sorted((u.across_m for u in users), reverse=True)
    assert sorted(user.track_id for user in users) == list(range(1, len(users) + 1))


def test_long_recording_goes_on_as_it_begins() -> None:
    users = street(1, duration_s=600.0)

    def present(time_s: float) -> int:
        return sum(abs(user.along_m(np.array([time_s]))[0]) < 12 for user in users)

    early = np.mean([present(time_s) for time_s in np.arange(0, 100, 5.0)])
    late = np.mean([present(time_s) for time_s in np.arange(500, 600, 5.0)])
    assert late == pytest.approx(early, rel=0.3)


def test_weights_share_the_time_in_view() -> None:
    weights = {"car": 4.0, "motorbike": 1.0}
    users = street(2, duration_s=600.0, class_weights=weights)
    count = Counter(user.class_name for user in users)
    even = Counter(user.class_name for user in street(2, duration_s=600.0))
    assert count["car"] / count["motorbike"] > 2 * even["car"] / even["motorbike"]


def test_streets_differ() -> None:
    assert len({tuple(user.class_name for user in street(seed)) for seed in SEEDS}) == len(SEEDS)

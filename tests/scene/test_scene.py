import itertools

import numpy as np
import pytest

from etram_pipeline.core import etram
from etram_pipeline.core.recording import Events
from etram_pipeline.scene.labels import BoxTable
from etram_pipeline.scene.scene import Scene, simulate
from etram_pipeline.scene.settings import SceneSettings

Simulated = tuple[Events, BoxTable]


def as_columns(events: Events) -> np.ndarray:
    return np.stack([events.t_us, events.x, events.y, events.polarity])


def gather(slabs: list[Events]) -> np.ndarray:
    return np.concatenate([as_columns(slab) for slab in slabs], axis=1)


def test_same_seed_gives_the_same_events_and_boxes(day: Simulated, small: SceneSettings) -> None:
    events, boxes = simulate(small, seed=3)
    assert np.array_equal(as_columns(events), as_columns(day[0]))
    assert np.array_equal(boxes, day[1])


@pytest.mark.parametrize("night", [False, True])
def test_events_do_not_depend_on_the_number_of_threads(small: SceneSettings, night: bool) -> None:  # noqa: FBT001
    settings = small.model_copy(update={"night": night, "duration_s": 0.1})
    alone = gather(list(Scene(settings, 5).stream(num_threads=1)))
    shared = gather(list(Scene(settings, 5).stream(num_threads=4)))
    assert len(alone[0]) > 1000
    assert np.array_equal(alone, shared)


def test_other_seed_gives_another_street_and_other_events(
    day: Simulated, small: SceneSettings
) -> None:
    one, other = Scene(small, 3), Scene(small, 4)
    assert not np.array_equal(one.background, other.background)
    assert one.camera != other.camera
    assert not np.array_equal(
        as_columns(simulate(small, 4)[0])[:, :100], as_columns(day[0])[:, :100]
    )


def test_events_are_in_order_and_on_the_sensor(either: Simulated, small: SceneSettings) -> None:
    events, _ = either
    assert (np.diff(events.t_us) >= 0).all()
    assert events.t_us[0] >= 0
    assert events.t_us[-1] < small.duration_us
    assert events.x.max() < small.width
    assert events.y.max() < small.height
    assert set(np.unique(events.polarity)) == {0, 1}


def test_slabs_follow_each_other_and_are_short(small: SceneSettings) -> None:
    slabs = list(Scene(small, 3).stream())
    spans = [(slab.t_us[0], slab.t_us[-1]) for slab in slabs]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    assert max(stop - start for start, stop in spans) < 16 * small.step_us


def test_no_pixel_fires_twice_within_its_refractory_time(
    either: Simulated, small: SceneSettings
) -> None:
    events, _ = either
    pixel = events.y.astype(np.int64) * small.width + events.x
    order = np.lexsort((events.t_us, pixel))
    gap_us = np.diff(events.t_us[order])[np.diff(pixel[order]) == 0]
    assert len(gap_us) > 1000
    assert gap_us.min() >= small.refractory_us


def test_nearly_all_noiseless_events_of_a_day_are_at_road_users(small: SceneSettings) -> None:
    quiet = small.model_copy(update={"noise_hz": 0.0, "num_hot_pixels": 0, "min_visible": 0.0})
    quiet = quiet.model_copy(update={"min_side_px": 1.0})
    shares = [share_near_boxes(*simulate(quiet, seed)) for seed in (1, 2)]
    assert min(shares) > 0.9


def share_near_boxes(events: Events, boxes: BoxTable) -> float:
    """Share of the events of the last 4 ms before each labelled frame within 3 px of a box."""
    near = total = 0
    for time_us in np.unique(boxes["t"]).astype(np.int64):
        first, last = np.searchsorted(events.t_us, [time_us - 4000, time_us])
        x, y = events.x[first:last, None] + 0.5, events.y[first:last, None] + 0.5
        frame = boxes[boxes["t"] == time_us]
        inside = (np.abs(x - frame["x"] - frame["w"] / 2) < frame["w"] / 2 + 3) & (
            np.abs(y - frame["y"] - frame["h"] / 2) < frame["h"] / 2 + 3
        )
        near += int(inside.any(axis=1).sum())
        total += last - first
    return near / total


def test_lower_threshold_makes_more_events(day: Simulated, small: SceneSettings) -> None:
    sensitive, _ = simulate(small.model_copy(update={"threshold": 0.2}), seed=3)
    assert len(sensitive) > 1.5 * len(day[0])


def test_night_is_darker_and_noisier(small: SceneSettings) -> None:
    quiet = {"noise_hz": 1.0, "density": 0.05, "duration_s": 0.2}
    day = small.model_copy(update=quiet)
    night = small.model_copy(update={**quiet, "night": True})
    assert Scene(night, 0).background.mean() < Scene(day, 0).background.mean()
    no_traffic = dict.fromkeys(etram.CLASSES, 0.0) | {"tram": 1e-9}
    counts = [
        len(simulate(each.model_copy(update={"class_weights": no_traffic}), 0)[0])
        for each in (day, night)
    ]
    assert counts[1] > 2 * counts[0]


def test_dense_traffic_shows_more_road_users(small: SceneSettings) -> None:
    def count(density: float) -> int:
        return len(Scene(small.model_copy(update={"density": density}), 1).labels)

    assert count(2.0) > 1.3 * count(0.5)


def test_picture_shows_road_users_where_the_boxes_are(small: SceneSettings) -> None:
    scene = Scene(small, 3)
    frame = scene.labels[scene.labels["t"] == scene.labels["t"][0]]
    changed = np.abs(scene.picture(int(frame["t"][0])) - scene.background) > 0.2
    for box in frame:
        left, top = int(box["x"]), int(box["y"])
        window = changed[top : top + int(box["h"]) + 1, left : left + int(box["w"]) + 1]
        assert window.mean() > 0.2


@pytest.mark.parametrize("size", [(32, 32), (97, 131), (120, 64)])
def test_any_sensor_size_works(size: tuple[int, int]) -> None:
    settings = SceneSettings(height=size[0], width=size[1], duration_s=0.1)
    events, _ = simulate(settings, seed=0)
    assert len(events) > 0
    assert (events.y.max(), events.x.max()) < size


def test_recording_of_one_class_shows_that_class_alone(small: SceneSettings) -> None:
    weights = dict.fromkeys(etram.CLASSES, 0.0) | {"bicycle": 1.0}
    boxes = Scene(small.model_copy(update={"class_weights": weights}), 3).labels
    assert set(boxes["class_id"]) == {etram.CLASSES.index("bicycle")}

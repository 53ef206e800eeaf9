"""Lanes of a street and the road users that travel on them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from etram_pipeline.core import etram
from etram_pipeline.scene.camera import Camera
from etram_pipeline.scene.canvas import Point
from etram_pipeline.scene.settings import SceneSettings
from etram_pipeline.scene.signal import Signal
from etram_pipeline.scene.sprites import choose_size

Seconds = Float64[np.ndarray, " T"]


@dataclass(frozen=True)
class Lane:
    """A line along the street on which all road users move alike, so that they never collide.

    Attributes:
        across_m: Distance from the camera, in metres.
        direction: 1 to the right, -1 to the left.
        class_names: Classes of road users in this lane.
        speed_m_s: Mean speed, in metres per second.
        gap_m: Mean gap between road users in excess of `least_gap_m`, in metres.
        least_gap_m: Smallest gap, in metres.
        stray_m: Largest distance of road users from the line, to either side, in metres.
        sway: Relative amplitude of the variation of speed.
        sway_s: Period of this variation, in seconds.
        sway_phase: Its phase at the start of the recording, in radians.
        signal: Signal at which they halt; None: they never do.
    """

    across_m: float
    direction: int
    class_names: tuple[str, ...]
    speed_m_s: float
    gap_m: float
    least_gap_m: float
    stray_m: float
    sway: float
    sway_s: float
    sway_phase: float
    signal: Signal | None = None

    def travelled_m(self, times_s: Seconds) -> Seconds:
        """Distance travelled since the start of the recording, in metres."""
        driven_s = times_s if self.signal is None else self.signal.driven_s(times_s)
        rate = 2 * np.pi / self.sway_s
        swing = np.sin(rate * driven_s + self.sway_phase) - np.sin(self.sway_phase)
        way_m: Seconds = self.speed_m_s * (driven_s + self.sway * swing / rate)
        return way_m

    def time_s(self, driven_s: float) -> float:
        """The time at which road users have driven for so long, in seconds, without their halts."""
        return driven_s if self.signal is None else self.signal.time_s(driven_s)


@dataclass(frozen=True)
class RoadUser:
    """One road user that passes through the scene.

    Attributes:
        class_name: Its class.
        track_id: Track id of its boxes.
        lane: Its lane.
        across_m: Its own distance from the camera, in metres.
        start_m: Position along its path at the start of the recording, in metres; 0 is the middle
            of the picture.
        size_m: Length and height, in metres.
        seed: Seed of its appearance.
    """

    class_name: str
    track_id: int
    lane: Lane
    across_m: float
    start_m: float
    size_m: Point
    seed: int

    def along_m(self, times_s: Seconds) -> Seconds:
        """Position along the street, in metres, increasing to the right."""
        return self.lane.direction * (self.start_m + self.lane.travelled_m(times_s))

    def present_s(self, reach_m: float) -> tuple[float, float]:
        """Start and end of the time, in seconds, outside which it is never within `reach_m`."""
        spare_s = self.lane.sway * self.lane.sway_s / np.pi
        return (
            self.lane.time_s((-reach_m - self.start_m) / self.lane.speed_m_s - spare_s),
            self.lane.time_s((reach_m - self.start_m) / self.lane.speed_m_s + spare_s),
        )


def plan_lanes(
    rng: np.random.Generator, density: float, signal: Signal | None = None
) -> list[Lane]:
    """A random street, nearest lane first: pavement, cycle lane, carriageways, tram track.

    Args:
        rng: Random number generator.
        density: Density of traffic, as in `SceneSettings`.
        signal: Signal of all lanes but the pavement.
    """
    heading, tram_heading, cycle_heading = rng.choice([-1, 1], 3).tolist()
    walkers, light = ("pedestrian", "wheelchair"), ("car", "motorbike")
    edge_m = rng.uniform(22.3, 23.5)
    spans = [  # width, who, direction, slowest, fastest, gap, least gap
        (0.0, walkers, 1, 1.0, 1.5, 9.0, 1.0),
        (rng.uniform(2.2, 2.6), walkers, -1, 1.0, 1.6, 9.0, 1.0),
        (2.3, ("bicycle",), cycle_heading, 3.4, 5.5, 8.0, 2.0),
        (rng.uniform(2.9, 3.4), light, heading, 7.0, 11.0, 5.0, 4.0),
        (rng.uniform(3.5, 4.5), light, -heading, 7.0, 11.0, 5.0, 4.0),
        (rng.uniform(3.8, 4.6), ("bus", "truck"), -heading, 6.0, 10.0, 3.0, 4.0),
        (rng.uniform(4.5, 5.5), ("tram",), tram_heading, 5.5, 8.5, 5.0, 9.0),
    ]
    lanes = []
    for width_m, class_names, direction, slowest, fastest, gap_m, least_gap_m in spans:
        edge_m += width_m
        lanes.append(
            Lane(
                across_m=edge_m,
                direction=direction,
                class_names=class_names,
                speed_m_s=rng.uniform(slowest, fastest),
                gap_m=gap_m / density,
                least_gap_m=least_gap_m / min(density, 2),
                stray_m=0.5 if class_names == walkers else 0.15,
                sway=rng.uniform(0.05, 0.45),
                sway_s=rng.uniform(5, 11),
                sway_phase=rng.uniform(0, 2 * np.pi),
                signal=None if class_names == walkers else signal,
            )
        )
    return lanes


def plan_traffic(
    lanes: list[Lane], camera: Camera, settings: SceneSettings, rng: np.random.Generator
) -> list[RoadUser]:
    """All road users that pass during the recording, farthest first.

    Each place in a lane is given to the class that has been in view least so far, so that rare
    classes appear in every recording, too.

    Args:
        lanes: Lanes of the street.
        camera: The camera.
        settings: Duration and class weights.
        rng: Random number generator.
    """
    duration_s = settings.duration_us * 1e-6
    balance = _Balance(settings, rng)
    users: list[RoadUser] = []
    for lane in lanes:
        half_m = camera.half_view_m(lane.across_m)
        for class_name, start_m, size_m in _fill_lane(lane, half_m, duration_s, balance):
            stray_m = rng.uniform(-lane.stray_m, lane.stray_m)
            seed = int(rng.integers(2**31))
            users.append(
                RoadUser(
                    class_name, len(users) + 1, lane, lane.across_m + stray_m, start_m, size_m, seed
                )
            )
    return sorted(users, key=lambda user: -user.across_m)


class _Balance:
    """Chooses classes so that each has its share of the time in view."""

    def __init__(self, settings: SceneSettings, rng: np.random.Generator) -> None:
        self.rng = rng
        self._weights = {name: settings.weight(name) for name in etram.CLASSES}
        self._seen_s = dict.fromkeys(etram.CLASSES, 0.0)

    def candidates(self, class_names: tuple[str, ...]) -> list[str]:
        """Classes with a weight above 0."""
        return [name for name in class_names if self._weights[name] > 0]

    def choose(self, class_names: list[str]) -> str:
        """The class furthest below its share, or nearly so."""
        lag = [
            self._seen_s[name] / self._weights[name] + self.rng.uniform(0, 2)
            for name in class_names
        ]
        return class_names[int(np.argmin(lag))]

    def count(self, class_name: str, seconds: float) -> None:
        """Record the time for which a road user of a class is in view."""
        self._seen_s[class_name] += max(0.0, seconds)


def _fill_lane(
    lane: Lane, half_view_m: float, duration_s: float, balance: _Balance
) -> Iterator[tuple[str, float, Point]]:
    """Class, position and size of all road users in a lane, from the first to the last."""
    class_names = balance.candidates(lane.class_names)
    way_m = float(lane.travelled_m(np.array([duration_s]))[0])
    front_m = half_view_m + balance.rng.uniform(0, lane.least_gap_m + lane.gap_m)
    while class_names and front_m > -half_view_m - way_m:
        class_name = balance.choose(class_names)
        size_m = choose_size(class_name, balance.rng)
        start_m = front_m - size_m[0] / 2
        reach_m = half_view_m + size_m[0] / 2
        enters_s = lane.time_s((-reach_m - start_m) / lane.speed_m_s)
        leaves_s = lane.time_s((reach_m - start_m) / lane.speed_m_s)
        balance.count(class_name, min(leaves_s, duration_s) - max(enters_s, 0.0))
        yield class_name, start_m, size_m
        gap_m = lane.least_gap_m + balance.rng.gamma(2.0, lane.gap_m / 2)
        front_m -= size_m[0] + gap_m

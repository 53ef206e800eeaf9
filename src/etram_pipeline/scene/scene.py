"""A simulated traffic scene: events, labels and pictures."""

import functools
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from jaxtyping import Float32, Float64, UInt64

from etram_pipeline.core.recording import Events
from etram_pipeline.scene.camera import Camera, place_camera
from etram_pipeline.scene.labels import BoxTable, box_dtype, label_frame
from etram_pipeline.scene.light import DAY, NIGHT, Light
from etram_pipeline.scene.placement import Placed, join_poses, join_sprites, place
from etram_pipeline.scene.scenery import plan_scenery
from etram_pipeline.scene.sensor import expose, look
from etram_pipeline.scene.settings import SceneSettings
from etram_pipeline.scene.slab import Pixels, Poses, Slab, SlabSettings, Sprites
from etram_pipeline.scene.sprites import Sprite, draw_sprite
from etram_pipeline.scene.street import paint_street
from etram_pipeline.scene.traffic import RoadUser, plan_lanes, plan_traffic

LABEL_HZ = 20
"""Labelled frames per second: one per window of 50 ms, so that every window is trained on."""

_SLAB_STEPS = 16
_BANDS = 8


class Scene:
    """One recording, which is simulated while it is read.

    The result does not depend on the number of threads, and memory does not grow with the length of
    the recording.

    Attributes:
        settings: Settings of the simulation.
        seed: Seed of everything random.
    """

    def __init__(self, settings: SceneSettings, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self.light = NIGHT if settings.night else DAY
        rng = np.random.default_rng([seed, 1])
        self.camera = place_camera(settings, rng)
        lanes = plan_lanes(rng, settings.density, settings.signal)
        self.users = plan_traffic(lanes, self.camera, settings, rng)
        self._present_s = (
            np.array([self._when_present(user) for user in self.users]).reshape(-1, 2).T
        )
        far_m = max(lane.across_m for lane in lanes) + 2.0
        self.scenery = plan_scenery(self.camera, far_m, self.light, rng)
        self.background = paint_street(self.camera, lanes, self.light, rng)
        # A bound method here would create a reference cycle, which delays freeing the memory.
        draw = functools.partial(_draw_user, self.camera, self.light)
        self._sprite_of = functools.lru_cache(maxsize=64)(draw)
        self._join_sprites = functools.lru_cache(maxsize=1)(join_sprites)

    def stream(self, num_threads: int = 1) -> Iterator[Events]:
        """Events in order of time, in slabs of a few milliseconds.

        Args:
            num_threads: Threads among which the rows of the sensor are divided.
        """
        pixels = self._start_pixels()
        num_steps = self.settings.duration_us // self.settings.step_us
        edges = np.linspace(0, self.settings.height, _BANDS + 1).astype(int).tolist()
        with _open_threads(num_threads) as run:
            for first_step in range(0, num_steps, _SLAB_STEPS):
                settings = self._slab_settings(first_step, min(_SLAB_STEPS, num_steps - first_step))
                slab = Slab(settings, *self._lay_out(settings), pixels)
                keys = run(look, edges[:-1], edges[1:], itertools.repeat(slab))
                yield _unpack(np.concatenate(list(keys)), first_step * self.settings.step_us)

    @functools.cached_property
    def labels(self) -> BoxTable:
        """Boxes of all labelled frames, in order of time, of `box_dtype`."""
        num_frames = self.settings.duration_us * LABEL_HZ // 1_000_000
        frames = []
        for frame in range(1, num_frames + 1):
            time_us = round(frame * 1_000_000 / LABEL_HZ)
            users, placed = self._present(np.array([time_us * 1e-6]))
            frames.append(label_frame(time_us, users, placed, self.settings))
        return np.concatenate([np.zeros(0, box_dtype(self.settings)), *frames])

    def picture(self, time_us: int) -> Float32[np.ndarray, "H W"]:
        """The picture that the sensor sees, as natural logarithms of brightness."""
        picture = self.background.copy()
        placed = self._in_view(np.array([time_us * 1e-6]))
        sprites = self._join_sprites(*(each.sprite for each in placed))
        expose(picture, sprites, join_poses(placed, 1, lag=0))
        return picture

    def _slab_settings(self, first_step: int, num_steps: int) -> SlabSettings:
        settings, response_us = self.settings, self.light.response_us
        follow = 1 - np.exp(-settings.step_us / response_us) if response_us else 1.0
        return SlabSettings(
            first_step=first_step,
            num_steps=num_steps,
            step_us=settings.step_us,
            refractory_us=settings.refractory_us,
            follow=float(follow),
            noise_hz=settings.noise_hz * self.light.noise,
            seed=self.seed,
        )

    def _lay_out(self, settings: SlabSettings) -> tuple[Sprites, Poses]:
        lag = 1 + int(np.ceil(4 * self.light.response_us / settings.step_us))
        steps = settings.first_step + np.arange(-lag, settings.num_steps + 1)
        placed = self._in_view(steps * (settings.step_us * 1e-6))
        sprites = self._join_sprites(*(each.sprite for each in placed))
        return sprites, join_poses(placed, len(steps), lag)

    def _in_view(self, times_s: Float64[np.ndarray, " T"]) -> list[Placed]:
        """All moving objects on the sensor at any of these times, farthest first."""
        _, placed = self._present(times_s)
        return [thing.place(times_s) for thing in self.scenery] + placed

    def _present(self, times_s: Float64[np.ndarray, " T"]) -> tuple[list[RoadUser], list[Placed]]:
        """Road users on the sensor at any of these times, and their sprites, farthest first."""
        users, all_placed = [], []
        enters_s, leaves_s = self._present_s
        for index in np.flatnonzero((enters_s <= times_s[-1]) & (leaves_s >= times_s[0])):
            user = self.users[index]
            placed = place(user, self._sprite_of(user), self.camera, times_s)
            if placed.touches(self.settings.height, self.settings.width):
                users.append(user)
                all_placed.append(placed)
        return users, all_placed

    def _when_present(self, user: RoadUser) -> tuple[float, float]:
        return user.present_s(1.4 * self.camera.half_view_m(user.across_m) + user.size_m[0])

    def _start_pixels(self) -> Pixels:
        settings = self.settings
        shape = (settings.height, settings.width)
        rng = np.random.default_rng([self.seed, 2])

        def spread() -> Float32[np.ndarray, "H W"]:
            thresholds = rng.normal(settings.threshold, settings.threshold_spread, shape)
            return np.maximum(thresholds, 0.05).astype(np.float32)

        rise, fall = spread(), spread()
        level = self.picture(0)
        offset = rng.uniform(-0.45, 0.45, shape).astype(np.float32)
        num_hot = round(settings.num_hot_pixels * settings.height * settings.width / (1280 * 720))
        hot = [rng.integers(0, limit, num_hot) for limit in shape] + [
            rng.integers(20_000, 400_000, num_hot)
        ]
        return Pixels(
            background=self.background,
            level=level,
            reference=level + offset * np.minimum(rise, fall),
            rise=rise,
            fall=fall,
            last_us=np.full(shape, -1_000_000, np.int64),
            hot=np.stack(hot, axis=1),
        )


def simulate(settings: SceneSettings, seed: int) -> tuple[Events, BoxTable]:
    """All events and boxes of a short scene at once."""
    scene = Scene(settings, seed)
    slabs = list(scene.stream())
    events = Events(
        x=np.concatenate([slab.x for slab in slabs]),
        y=np.concatenate([slab.y for slab in slabs]),
        t_us=np.concatenate([slab.t_us for slab in slabs]),
        polarity=np.concatenate([slab.polarity for slab in slabs]),
    )
    return events, scene.labels


@contextmanager
def _open_threads(num_threads: int) -> Iterator[Callable[..., Iterator[UInt64[np.ndarray, " N"]]]]:
    """Like `map`, but in several threads, or in this thread if only one is requested."""
    if num_threads == 1:
        yield map
        return
    with ThreadPoolExecutor(num_threads) as executor:
        yield executor.map


def _draw_user(camera: Camera, light: Light, user: RoadUser) -> Sprite:
    half_m = camera.half_view_m(user.across_m)
    seen = camera.project(np.array([-half_m, half_m]), user.across_m)
    px_per_m = float(seen.px_per_m.max())
    sprite = draw_sprite(user.class_name, user.size_m, px_per_m, user.seed, light)
    return sprite if user.lane.direction > 0 else sprite.mirrored()


def _unpack(keys: UInt64[np.ndarray, " N"], start_us: int) -> Events:
    """Events in order of time, from keys in any order."""
    keys.sort()
    return Events(
        x=(keys >> np.uint64(1) & np.uint64(0xFFFF)).astype(np.uint16),
        y=(keys >> np.uint64(17) & np.uint64(0xFFFF)).astype(np.uint16),
        t_us=(keys >> np.uint64(33)).astype(np.int64) + start_us,
        polarity=(keys & np.uint64(1)).astype(np.uint8),
    )

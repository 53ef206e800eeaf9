"""A single square sprite on a flat background: every event can be computed by hand."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest

from etram_pipeline.scene.sensor import expose, look
from etram_pipeline.scene.slab import Pixels, Poses, Slab, SlabSettings, Sprites

STEP_US, SIDE = 4000, 8


@dataclass(frozen=True)
class Seen:
    t_us: np.ndarray
    y: np.ndarray
    x: np.ndarray
    polarity: np.ndarray


def decode(keys: np.ndarray) -> Seen:
    keys = np.sort(keys).astype(np.int64)
    return Seen(keys >> 33, keys >> 17 & 0xFFFF, keys >> 1 & 0xFFFF, keys & 1)


def dark_pixels(height: int = 12, width: int = 24, level: float = 0.0) -> Pixels:
    shape = (height, width)
    return Pixels(
        background=np.full(shape, level, np.float32),
        level=np.full(shape, level, np.float32),
        reference=np.full(shape, level, np.float32),
        rise=np.full(shape, 0.25, np.float32),
        fall=np.full(shape, 0.5, np.float32),
        last_us=np.full(shape, -1_000_000, np.int64),
        hot=np.zeros((0, 3), np.int64),
    )


def settings(num_steps: int = 1, **changes: float) -> SlabSettings:
    settings = {"refractory_us": 1, "follow": 1.0, "noise_hz": 0.0, "seed": 1, **changes}
    return SlabSettings(first_step=0, num_steps=num_steps, step_us=STEP_US, **settings)  # type: ignore[arg-type]


def square(level: float, opacity: float = 1.0, light: float = 0.0) -> Sprites:
    """A square of `SIDE` px with an empty px all around."""
    frame = np.zeros((3, SIDE + 2, SIDE + 2), np.float32)
    frame[:, 1:-1, 1:-1] = np.array([level * opacity, opacity, light])[:, None, None]
    rows = np.full((SIDE + 2, 2), [1, SIDE])
    return Sprites(
        values=frame[: 3 if light else 2].ravel(),
        first=np.zeros(1, np.int64),
        rows=np.array([SIDE + 2]),
        columns=np.array([SIDE + 2]),
        extents=rows,
        first_extent=np.zeros(1, np.int64),
        moving=np.zeros(SIDE + 2, np.bool_),
        lit=np.array([light != 0]),
    )


def at(*lefts: float) -> Poses:
    """The square's own left column (the border excluded) in each picture; top row 2."""
    left = np.array(lefts, np.float32)[:, None] - 1
    zeros = np.zeros_like(left, np.int64)
    return Poses(
        first_row=zeros,
        stop_row=zeros + 12,
        first_column=np.floor(left).astype(np.int64) - 1,
        stop_column=np.ceil(left).astype(np.int64) + SIDE + 3,
        left=left,
        top=np.ones_like(left),
        former_left=np.concatenate([left[:1], left[:-1]]),
        scale=np.ones_like(left),
        phase=zeros,
        next_phase=zeros,
        blend=np.zeros_like(left),
    )


AWAY = -40.0


def test_rise_gives_an_event_at_each_threshold_passed() -> None:
    slab = Slab(settings(), square(1.1), at(AWAY, 4), dark_pixels())
    seen = decode(look(0, 12, slab))
    one = (seen.x == 6) & (seen.y == 5)
    assert seen.polarity.all()
    assert seen.t_us[one].tolist() == [int(STEP_US * 0.25 * n / 1.1) for n in (1, 2, 3, 4)]
    assert len(seen.x) == 4 * SIDE**2


def test_fall_has_its_own_threshold() -> None:
    slab = Slab(settings(), square(-1.1), at(AWAY, 4), dark_pixels())
    seen = decode(look(0, 12, slab))
    assert not seen.polarity.any()
    assert len(seen.x) == 2 * SIDE**2


def test_events_are_where_the_square_is() -> None:
    seen = decode(look(0, 12, Slab(settings(), square(1.1), at(AWAY, 4), dark_pixels())))
    assert (seen.x.min(), seen.x.max(), seen.y.min(), seen.y.max()) == (4, 11, 2, 9)


def test_change_below_the_threshold_is_remembered() -> None:
    pixels = dark_pixels()
    faint = Slab(settings(), square(0.2), at(AWAY, 4), pixels)
    assert len(look(0, 12, faint)) == 0
    brighter = Slab(settings(), square(0.3), at(4, 4), pixels)
    assert len(look(0, 12, brighter)) == SIDE**2


def test_refractory_pixel_misses_events_but_follows_the_brightness() -> None:
    pixels = dark_pixels()
    slab = Slab(settings(refractory_us=3000), square(1.1), at(AWAY, 4), pixels)
    seen = decode(look(0, 12, slab))
    assert seen.t_us[(seen.x == 6) & (seen.y == 5)].tolist() == [909]
    assert pixels.reference[5, 6] == pytest.approx(1.0)


def test_slow_pixel_follows_over_several_pictures() -> None:
    pixels = dark_pixels()
    poses = at(AWAY, 4, 4)._replace(former_left=np.full((3, 1), AWAY, np.float32))
    look(0, 12, Slab(settings(num_steps=2, follow=0.5), square(1.0), poses, pixels))
    assert pixels.level[5, 6] == pytest.approx(0.75)


def test_square_that_leaves_uncovers_the_background() -> None:
    pixels = dark_pixels()
    look(0, 12, Slab(settings(num_steps=2), square(1.0), at(AWAY, 4, 7), pixels))
    assert pixels.level[5, 4:15].tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]


def test_half_a_px_is_half_covered() -> None:
    pixels = dark_pixels()
    look(0, 12, Slab(settings(), square(1.0), at(AWAY, 4.5), pixels))
    assert pixels.level[5, [3, 4, 5, 11, 12, 13]].tolist() == [0, 0.5, 1, 1, 0.5, 0]


def test_nearer_sprite_covers_the_farther_and_light_adds() -> None:
    picture = np.full((12, 24), 0.25, np.float32)
    expose(picture, square(1.0, opacity=0.5), at(4))
    assert picture[5, 6] == pytest.approx(0.625)
    expose(picture, square(0.0, opacity=0.0, light=0.5), at(4))
    assert picture[5, 6] == pytest.approx(1.125)
    assert picture[5, 20] == pytest.approx(0.25)


@pytest.mark.parametrize("cuts", [[0, 12], [0, 1, 12], [0, 4, 5, 9, 12]])
def test_any_division_into_rows_gives_the_same_events(cuts: list[int]) -> None:
    def run(edges: list[int]) -> list[int]:
        pixels = dark_pixels()._replace(hot=np.array([[3, 5, 300_000], [9, 9, 200_000]]))
        slab = Slab(settings(num_steps=3, noise_hz=20.0), square(1.1), at(AWAY, 4, 5, 6), pixels)
        keys = [look(*band, slab) for band in itertools.pairwise(edges)]
        return np.sort(np.concatenate(keys)).tolist()  # type: ignore[no-any-return]

    assert run(cuts) == run([0, 6, 12])


def test_noise_comes_at_its_rate_everywhere() -> None:
    pixels = dark_pixels(height=60, width=100)
    steps = settings(num_steps=500, noise_hz=5.0)
    away = at(*[AWAY] * 501)
    seen = decode(look(0, 60, Slab(steps, square(1.0), away, pixels)))
    expected = 5.0 * 60 * 100 * 500 * STEP_US * 1e-6
    assert len(seen.x) == pytest.approx(expected, rel=0.03)
    assert abs(seen.x.mean() - 49.5) < 1
    assert abs(seen.y.mean() - 29.5) < 1
    assert 0.55 < seen.polarity.mean() < 0.7


def test_noise_makes_what_the_pixel_reads_its_reference() -> None:
    pixels = dark_pixels()
    pixels.reference[:] = 0.2
    look(
        0, 12, Slab(settings(num_steps=400, noise_hz=100.0), square(0.0), at(*[AWAY] * 401), pixels)
    )
    assert (pixels.reference == 0).all()


def test_hot_pixel_fires_at_its_rate() -> None:
    pixels = dark_pixels()._replace(hot=np.array([[7, 3, 100_000]]))
    seen = decode(
        look(0, 12, Slab(settings(num_steps=2000), square(0.0), at(*[AWAY] * 2001), pixels))
    )
    assert {(y, x) for y, x in zip(seen.y.tolist(), seen.x.tolist(), strict=True)} == {(7, 3)}
    assert len(seen.x) == pytest.approx(800, rel=0.1)

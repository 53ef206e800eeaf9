from collections.abc import Callable

import numpy as np
import pytest

from etram_pipeline.scene.canvas import Canvas, Paint, smooth_noise

PAINT = Paint(-1.0)
AREA_M2: dict[str, tuple[Callable[[Canvas], None], float]] = {
    "box": (lambda canvas: canvas.box((0.2, 1.0), (0.8, 0.5), PAINT, 0.0), 1.6),
    "ellipse": (lambda canvas: canvas.ellipse((0.0, 1.0), (1.0, 0.5), PAINT), np.pi / 2),
    "ring": (lambda canvas: canvas.ring((0.0, 1.0), 0.7, 0.1, PAINT), 0.28 * np.pi),
    "limb": (lambda canvas: canvas.limb((-0.5, 0.5), (0.5, 1.5), 0.2, PAINT), 0.6914),
    "polygon": (lambda canvas: canvas.polygon([(-1.0, 0.5), (0.0, 1.5), (1.0, 0.5)], PAINT), 1.0),
}


@pytest.fixture
def canvas() -> Canvas:
    """A canvas of 4 m by 2 m and its margins, 40 px to the metre."""
    return Canvas((4.0, 2.0), (0.5, 0.5), 40.0, seed=0)


@pytest.mark.parametrize("shape", AREA_M2)
def test_shape_covers_its_area(canvas: Canvas, shape: str) -> None:
    draw, area_m2 = AREA_M2[shape]
    draw(canvas)
    assert canvas.opacity.sum() / 40**2 == pytest.approx(area_m2, rel=0.03)
    assert canvas.colour == pytest.approx(-canvas.opacity)


def test_box_lies_where_it_is_put(canvas: Canvas) -> None:
    canvas.box((0.5, 1.0), (0.5, 1.0), PAINT, 0.0)
    rows, columns = np.nonzero(canvas.opacity > 0.5)
    assert columns.min() == pytest.approx(canvas.anchor_px[0], abs=1)
    assert columns.max() + 1 == pytest.approx(canvas.anchor_px[0] + 40, abs=1)
    assert rows.max() + 1 == pytest.approx(canvas.anchor_px[1], abs=1)
    assert rows.min() == pytest.approx(canvas.anchor_px[1] - 80, abs=1)


def test_later_shape_covers_the_earlier(canvas: Canvas) -> None:
    canvas.box((0.0, 1.0), (1.0, 1.0), Paint(-2.0))
    canvas.box((0.0, 1.0), (0.5, 0.5), Paint(0.5))
    row, column = round(canvas.anchor_px[1] - 40), round(canvas.anchor_px[0])
    assert canvas.colour[row, column] == pytest.approx(0.5)
    assert canvas.colour[row, column + 30] == pytest.approx(-2.0)


def test_shape_beyond_the_border_is_cut(canvas: Canvas) -> None:
    canvas.box((50.0, 1.0), (1.0, 1.0), PAINT)
    assert not canvas.opacity.any()


def test_shadow_is_too_faint_for_a_part(canvas: Canvas) -> None:
    canvas.shade(1.0)
    assert 0.3 < canvas.opacity.max() < 0.6


def test_noise_has_unit_amplitude_and_spots_of_its_size() -> None:
    noise = smooth_noise((400, 400), 20.0, np.random.default_rng(0))
    assert abs(noise.mean()) < 0.15
    assert 0.4 < noise.std() < 1.0
    assert np.abs(np.diff(noise, axis=1)).max() < 0.4

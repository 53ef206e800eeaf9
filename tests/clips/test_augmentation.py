"""Flip and zoom, against the pixel and box pairs of the RVT reference."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float32

from etram_pipeline.clips.augmentation import AugmentationSettings
from etram_pipeline.clips.view import Rectangle, View, is_visible

FOLDER = Path(__file__).parents[1] / "golden/data"
LABELS: dict[str, Any] = json.loads((FOLDER / "pipeline.json").read_text())["label_transforms"]
IMAGES = dict(np.load(FOLDER / "image_transforms.npz"))
HEIGHT, WIDTH = 48, 64

Boxes = Float32[np.ndarray, "N 4"]


def zooms(names: list[str]) -> list[str]:
    return sorted(name for name in names if name.startswith("zoom"))


def parse(name: str, height: int, width: int) -> tuple[View, float]:
    """The view that a golden zoom is named for, and the factor drawn for it."""
    direction, left, top, factor = re.findall(r"zoom_(in|out)_x(\d+)_y(\d+)_f([\d.]+)", name)[0]
    scale = float(factor)
    window = Rectangle(int(left), int(top), int(width / scale), int(height / scale))
    image = Rectangle(0, 0, width, height)
    return (View(image, window, image) if direction == "in" else View(image, image, window)), scale


def mirror(height: int, width: int) -> View:
    image = Rectangle(0, 0, width, height)
    return View(image, image, image, mirrored=True)


def corners(rows_xywhc: list[list[float]]) -> Boxes:
    rows = np.array(rows_xywhc, np.float32)
    return np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)


def seen_by(view: View) -> tuple[Boxes, list[float]]:
    """The golden boxes through `view`, and the classes of those in view."""
    boxes = view.of_boxes(corners(LABELS["input_rows_xywhc"]))
    classes = np.array(LABELS["input_rows_xywhc"])[:, 4]
    return boxes[is_visible(boxes)], classes[is_visible(boxes)].tolist()


def draw(settings: AugmentationSettings, seed: int, boxes: Boxes | None = None) -> View:
    no_boxes = np.empty((0, 4), np.float32)
    rng = np.random.default_rng(seed)
    return settings.draw(rng, HEIGHT, WIDTH, no_boxes if boxes is None else boxes)


@pytest.mark.parametrize("name", zooms(list(IMAGES)))
def test_zoomed_frames_equal_the_reference_pixel_by_pixel(name: str) -> None:
    frames = IMAGES["input"][None]
    view, _ = parse(name, *frames.shape[-2:])
    np.testing.assert_array_equal(view.of_images(frames)[0], IMAGES[name])


def test_mirrored_frames_equal_the_reference() -> None:
    frames = IMAGES["input"][None]
    seen = mirror(*frames.shape[-2:]).of_images(frames)
    np.testing.assert_array_equal(seen[0], IMAGES["flip"])


def test_mirrored_boxes_lie_one_pixel_further_right_than_in_the_reference() -> None:
    boxes, classes = seen_by(mirror(*LABELS["input_hw"]))
    golden = LABELS["results"]["flip_lr"]["out"]
    assert classes == [row[4] for row in golden]
    np.testing.assert_array_equal(boxes - corners(golden), [[1, 0, 1, 0]] * len(golden))


@pytest.mark.parametrize("name", zooms(list(LABELS["results"])))
def test_zoomed_boxes_equal_the_reference_but_for_border_and_rounding(name: str) -> None:
    """In px of the source, where scale does not matter; the reference's border is a px short."""
    height, width = LABELS["input_hw"]
    view, factor = parse(name, height, width)
    boxes, classes = seen_by(view)
    golden = LABELS["results"][name]["out"]
    assert classes == [row[4] for row in golden]
    is_zoom_in = view.target == view.image
    window = view.source if is_zoom_in else view.target
    origin = np.array([window.left, window.top] * 2)
    ours = np.array([width / window.width, height / window.height] * 2)
    source = origin + boxes / ours if is_zoom_in else (boxes - origin) * ours
    reference = (
        origin + corners(golden) / factor if is_zoom_in else (corners(golden) - origin) * factor
    )
    start = np.array([view.source.left, view.source.top] * 2)
    end = start + np.array([view.source.width, view.source.height] * 2)
    at_border = (np.abs(source - start) < 2) | (np.abs(source - end) < 2)
    assert np.abs(source - reference)[~at_border].max() < 1e-3
    assert (np.abs(source - reference) <= 1.0 + factor).all()


@pytest.mark.parametrize("seed", range(20))
def test_pixels_of_an_object_stay_within_its_box(seed: int) -> None:
    box = np.array([[20, 12, 36, 30]], np.float32)
    frames = np.zeros((1, 1, HEIGHT, WIDTH), np.uint8)
    frames[..., 12:30, 20:36] = 1
    view = draw(AugmentationSettings(zoom_probability=1.0), seed, box)
    left, top, right, bottom = view.of_boxes(box)[0]
    rows, columns = np.nonzero(view.of_images(frames)[0, 0])
    assert [columns.min(), rows.min()] == pytest.approx([left, top], abs=1)
    assert [columns.max() + 1, rows.max() + 1] == pytest.approx([right, bottom], abs=1)


def test_mirroring_twice_changes_nothing() -> None:
    view = mirror(HEIGHT, WIDTH)
    boxes = np.array([[1.5, 2, 20.25, 30], [60, 0, 64, 48]], np.float32)
    frames = np.random.default_rng(0).integers(0, 9, (2, 3, HEIGHT, WIDTH), np.uint8)
    np.testing.assert_array_equal(view.of_boxes(view.of_boxes(boxes)), boxes)
    np.testing.assert_array_equal(view.of_images(view.of_images(frames)), frames)


def test_mirroring_comes_before_zooming() -> None:
    image = Rectangle(0, 0, WIDTH, HEIGHT)
    left_half = Rectangle(0, 0, WIDTH // 2, HEIGHT)
    frames = np.zeros((1, 1, HEIGHT, WIDTH), np.uint8)
    frames[..., WIDTH // 2 :] = 7
    assert (View(image, left_half, image, mirrored=True).of_images(frames) == 7).all()


@pytest.mark.parametrize("seed", range(30))
def test_zooming_in_keeps_a_box_in_view_and_chooses_among_all(seed: int) -> None:
    boxes = np.array([[0, 0, 8, 8], [50, 36, 60, 46]], np.float32)
    zoom_in = AugmentationSettings(zoom_probability=1.0, zoom_in_share=1.0)
    assert is_visible(draw(zoom_in, seed, boxes).of_boxes(boxes)).any()
    far = AugmentationSettings(
        flip_probability=0, zoom_probability=1.0, zoom_in_share=1.0, max_zoom_in=4.0
    )
    kept = [is_visible(draw(far, 100 * seed + n, boxes).of_boxes(boxes)) for n in range(20)]
    assert any(k[0] and not k[1] for k in kept)
    assert any(k[1] and not k[0] for k in kept)


def test_a_box_larger_than_the_window_fills_it() -> None:
    box = np.array([[0, 0, WIDTH, HEIGHT]], np.float32)
    zoom_in = AugmentationSettings(zoom_probability=1.0, zoom_in_share=1.0)
    np.testing.assert_allclose(draw(zoom_in, 3, box).of_boxes(box), box, rtol=1e-6)


def test_what_leaves_the_view_has_no_area() -> None:
    image = Rectangle(0, 0, WIDTH, HEIGHT)
    corner = View(image, Rectangle(0, 0, 16, 12), image)
    boxes = np.array([[40, 30, 50, 40], [4, 4, 8, 8], [10, 3, 30, 9]], np.float32)
    seen = corner.of_boxes(boxes)
    assert is_visible(seen).tolist() == [False, True, True]
    assert seen[2].tolist() == [40, 12, 64, 36]


@pytest.mark.parametrize(
    ("settings", "is_changed"),
    [
        (AugmentationSettings(flip_probability=0, zoom_probability=0), False),
        (AugmentationSettings(flip_probability=1, zoom_probability=0), True),
    ],
)
def test_probabilities_of_none_and_all_leave_nothing_to_chance(
    settings: AugmentationSettings, *, is_changed: bool
) -> None:
    assert {draw(settings, seed).mirrored for seed in range(10)} == {is_changed}


def test_how_often_is_as_asked_for() -> None:
    views = [draw(AugmentationSettings(), seed) for seed in range(1000)]
    zoomed_in = [view.source != view.image for view in views]
    zoomed_out = [view.target != view.image for view in views]
    assert np.mean([view.mirrored for view in views]) == pytest.approx(0.5, abs=0.05)
    assert np.mean(zoomed_in) == pytest.approx(0.8 * 0.8, abs=0.05)
    assert np.mean(zoomed_out) == pytest.approx(0.8 * 0.2, abs=0.05)

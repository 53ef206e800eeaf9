"""Flip and zoom of clips and their boxes; NumPy only.

What is drawn by chance (`AugmentationSettings.draw`) is kept apart from what is done with it
(`View.of_frames`, `View.of_boxes`), so that all clips of a part can share one draw.

Frames change exactly as in the RVT reference (`data/utils/augmentor.py`,
`data/genx_utils/labels.py`). Boxes differ from it in four ways, all of them faults there:

- Coordinates are borders between pixels, from 0 to the width. The reference takes the last pixel's
  index for the border: it cuts boxes one pixel short, and a flip moves them one pixel to the left.
- Boxes are scaled by the ratio of the rounded sizes that the frames are scaled by, not by the
  factor drawn.
- A zoom keeps any box of the last labelled frame in view; the reference never the last in the list.
- A labelled frame from which every box has left is still one to learn from, with nothing in it.

Rotation, which the reference can do but has switched off, is left out.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped
from pydantic import Field

from etram_pipeline.clips.event_augmentation import EventAugmentationSettings
from etram_pipeline.core.component import Settings

Boxes = Float32[np.ndarray, "N 4"]


@dataclass(frozen=True)
class Rectangle:
    """Part of an image, in px."""

    left: int
    top: int
    width: int
    height: int

    @property
    def columns(self) -> slice:
        """Columns inside."""
        return slice(self.left, self.left + self.width)

    @property
    def rows(self) -> slice:
        """Rows inside."""
        return slice(self.top, self.top + self.height)


@dataclass(frozen=True)
class View:
    """How a clip is looked at: mirrored first, then one rectangle of it shown in another.

    Attributes:
        image: The whole image.
        source: What is shown of it, after mirroring.
        target: Where it is shown; the rest is empty.
        mirrored: Whether left and right change places.
    """

    image: Rectangle
    source: Rectangle
    target: Rectangle
    mirrored: bool = False

    def of_frames(self, frames: Shaped[np.ndarray, "T C H W"]) -> Shaped[np.ndarray, "T C H W"]:
        """The frames as seen; each pixel takes the value of the nearest one."""
        if self.source == self.target:
            return frames[..., ::-1] if self.mirrored else frames
        rows = self.source.top + _nearest(self.source.height, self.target.height)
        columns = self.source.left + _nearest(self.source.width, self.target.width)
        if self.mirrored:
            columns = self.image.width - 1 - columns
        # One axis after the other: four times as fast as both at once.
        shown = frames.take(rows, axis=-2).take(columns, axis=-1)
        if self.target == self.image:
            return shown
        seen = np.zeros_like(frames)
        seen[..., self.target.rows, self.target.columns] = shown
        return seen

    def of_boxes(self, boxes_xyxy: Boxes) -> Boxes:
        """The boxes as seen, cut where the source ends; those out of view have no area."""
        left, top, right, bottom = boxes_xyxy.T
        if self.mirrored:
            width = np.float32(self.image.width)
            left, right = width - right, width - left
        return np.stack(
            [
                _move(left, *_span(self.source.columns), *_span(self.target.columns)),
                _move(top, *_span(self.source.rows), *_span(self.target.rows)),
                _move(right, *_span(self.source.columns), *_span(self.target.columns)),
                _move(bottom, *_span(self.source.rows), *_span(self.target.rows)),
            ],
            axis=1,
        )


class AugmentationSettings(Settings):
    """How often and how far clips are changed; the defaults are the reference's for random clips.

    Attributes:
        flip_probability: Share of clips that are mirrored.
        zoom_probability: Share of clips that are zoomed, in or out.
        zoom_in_share: Share of the zoomed clips that are zoomed in.
        max_zoom_in: Largest magnification, drawn evenly from 1.
        max_zoom_out: Largest reduction, drawn evenly from 1.
        events: What becomes of the events, before the clip is mirrored and zoomed.
    """

    flip_probability: float = Field(default=0.5, ge=0, le=1)
    zoom_probability: float = Field(default=0.8, ge=0, le=1)
    zoom_in_share: float = Field(default=0.8, ge=0, le=1)
    max_zoom_in: float = Field(default=1.5, ge=1)
    max_zoom_out: float = Field(default=1.2, ge=1)
    events: EventAugmentationSettings = EventAugmentationSettings()

    def draw(self, rng: np.random.Generator, height: int, width: int, boxes_xyxy: Boxes) -> View:
        """A view drawn by chance.

        Args:
            rng: Source of the chance.
            height: Rows of the frames.
            width: Columns of the frames.
            boxes_xyxy: Boxes of which a zoom keeps one in view; without any it goes anywhere.
        """
        image = Rectangle(0, 0, width, height)
        mirrored = bool(rng.random() < self.flip_probability)
        if rng.random() >= self.zoom_probability:
            return View(image, image, image, mirrored)
        if rng.random() < self.zoom_in_share:
            window = _shrink(image, rng.uniform(1, self.max_zoom_in))
            seen = View(image, image, image, mirrored).of_boxes(boxes_xyxy)
            return View(image, _place_around_box(rng, image, window, seen), image, mirrored)
        window = _shrink(image, rng.uniform(1, self.max_zoom_out))
        return View(image, image, _place_anywhere(rng, image, window), mirrored)


def is_visible(boxes_xyxy: Boxes) -> Bool[np.ndarray, " N"]:
    """Which boxes have an area."""
    return np.asarray((boxes_xyxy[:, 2:] > boxes_xyxy[:, :2]).all(axis=1))


def _nearest(source: int, target: int) -> Int64[np.ndarray, " N"]:
    """Index of the source pixel at the centre of each target pixel.

    Source: PyTorch, `aten/src/ATen/native/UpSample.h`, `nearest_exact_idx`, in float32 as there.
    """
    scale = np.float32(source) / np.float32(target)
    centres = (np.arange(target, dtype=np.float32) + np.float32(0.5)) * scale
    return np.minimum(centres.astype(np.int64), source - 1)


def _span(pixels: slice) -> tuple[int, int]:
    return pixels.start, pixels.stop


def _move(
    x: Float32[np.ndarray, " N"], start: int, stop: int, target_start: int, target_stop: int
) -> Float32[np.ndarray, " N"]:
    scale = np.float32(target_stop - target_start) / np.float32(stop - start)
    return np.float32(target_start) + (x.clip(start, stop) - np.float32(start)) * scale


def _shrink(image: Rectangle, factor: float) -> Rectangle:
    return Rectangle(0, 0, int(image.width / factor), int(image.height / factor))


def _place_anywhere(rng: np.random.Generator, image: Rectangle, window: Rectangle) -> Rectangle:
    left = rng.integers(image.width - window.width, endpoint=True)
    top = rng.integers(image.height - window.height, endpoint=True)
    return Rectangle(int(left), int(top), window.width, window.height)


def _place_around_box(
    rng: np.random.Generator, image: Rectangle, window: Rectangle, boxes_xyxy: Boxes
) -> Rectangle:
    """A window that holds one of the boxes, or as much of it as fits."""
    if not len(boxes_xyxy):
        return _place_anywhere(rng, image, window)
    left, top, right, bottom = boxes_xyxy[rng.integers(len(boxes_xyxy))].tolist()
    return Rectangle(
        _place_along(rng, left, right, window.width, image.width),
        _place_along(rng, top, bottom, window.height, image.height),
        window.width,
        window.height,
    )


def _place_along(
    rng: np.random.Generator, start: float, stop: float, window: int, image: int
) -> int:
    first, last = sorted([int(np.ceil(stop - window)), int(np.floor(start))])
    room = image - window
    return int(rng.integers(np.clip(first, 0, room), np.clip(last, 0, room), endpoint=True))

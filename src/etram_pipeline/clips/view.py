"""Mirroring and zooming clips and their boxes; NumPy only.

Representations change exactly as in the RVT reference (`data/utils/augmentor.py`,
`data/genx_utils/labels.py`). Boxes differ from the reference in four ways; each is a fault there:

- Coordinates are borders between pixels, from 0 to the width. The reference uses the index of the
  last pixel as the border: it cuts boxes one pixel short, and a flip moves them one pixel to the
  left.
- Boxes are scaled by the ratio of the rounded image sizes, as the images are, not by the factor
  drawn.
- A zoom may keep any box of the last labelled frame in view; the reference never keeps the last box
  of the list.
- A labelled frame whose boxes all left the view stays in the training as a frame without objects.

The reference can also rotate clips, but has this switched off; rotation is not implemented here.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped

BoxesXyxy = Float32[np.ndarray, "N 4"]


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
    """A view of a clip: the image is mirrored first, then one rectangle is mapped to another.

    Attributes:
        image: The whole image.
        source: The part that is shown, after mirroring.
        target: Where this part is shown; the rest is zero.
        mirrored: Whether left and right are swapped.
    """

    image: Rectangle
    source: Rectangle
    target: Rectangle
    mirrored: bool = False

    def of_images(self, images: Shaped[np.ndarray, "T C H W"]) -> Shaped[np.ndarray, "T C H W"]:
        """The representations in this view; each pixel takes the value of the nearest one."""
        if self.source == self.target:
            return images[..., ::-1] if self.mirrored else images
        rows = self.source.top + _nearest(self.source.height, self.target.height)
        columns = self.source.left + _nearest(self.source.width, self.target.width)
        if self.mirrored:
            columns = self.image.width - 1 - columns
        # One axis after the other is four times as fast as both at once.
        shown = images.take(rows, axis=-2).take(columns, axis=-1)
        if self.target == self.image:
            return shown
        seen = np.zeros_like(images)
        seen[..., self.target.rows, self.target.columns] = shown
        return seen

    def of_boxes(self, boxes_xyxy: BoxesXyxy) -> BoxesXyxy:
        """The boxes in this view, clipped to the source; boxes out of view have no area."""
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


def is_visible(boxes_xyxy: BoxesXyxy) -> Bool[np.ndarray, " N"]:
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

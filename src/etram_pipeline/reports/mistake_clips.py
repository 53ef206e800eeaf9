"""Mistakes as short clips: a few windows before and after the moment, side by side in a strip."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64
from PIL import Image

from etram_pipeline.core.boxes import xywh_to_xyxy
from etram_pipeline.drawing import palette
from etram_pipeline.drawing.annotation import corners
from etram_pipeline.drawing.render import Overlay, RgbImage, mark_boxes, polarity_image
from etram_pipeline.events.polarity import saturation_of
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.reports.shown_boxes import ShownBoxes
from etram_pipeline.stores.representation_store import StoredRepresentations

NUM_AROUND = 3
"""Windows shown before the moment of a mistake, and after it."""
NUM_FRAMES = 2 * NUM_AROUND + 1
WIDTH, HEIGHT = 288, 216
"""Size of each picture of a strip, in px."""

_CONTEXT = 1.6
"""Size of what is shown, in sizes of the boxes concerned."""
_LEAST_PX = 72
"""Least width of what is shown, in px of the representation."""
_HALO_PX = (4, 6)
_NEAR_US = 25_000


@dataclass(frozen=True)
class Moment:
    """A mistake, as it is drawn.

    Attributes:
        recording: Recording, as `<split>/<name>`.
        time_us: Moment of the mistake, in microseconds.
        box_xywh: Box concerned, in px of the sensor.
        label_xywh: Box of the label concerned, in px of the sensor; None if there is none.
        colour: Hexadecimal colour of the class detected.
        is_detected: Whether the box was detected; otherwise it is that of a missed label.
    """

    recording: str
    time_us: int
    box_xywh: tuple[float, float, float, float]
    label_xywh: tuple[float, float, float, float] | None
    colour: str
    is_detected: bool


def draw_strip(
    moment: Moment,
    frames: StoredRepresentations,
    labels: LabelledFrames | None,
    detections: DetectionTable,
) -> RgbImage | None:
    """Pictures of the windows around a mistake, from left to right.

    Solid boxes are detections in the colour of their class, dashed white ones are labels. The box
    concerned has a second outline at the moment of the mistake, in the middle. Where a recording
    begins or ends, its first or last window is repeated.

    Args:
        moment: The mistake.
        frames: Representations of its recording.
        labels: Ground truth of the recording; None draws none.
        detections: Detections to draw.

    Returns:
        `NUM_FRAMES` pictures of `WIDTH` x `HEIGHT` px; None if no window ends at the moment.
    """
    window = _window_at(frames.stop_us, moment.time_us)
    if window is None:
        return None
    wanted = np.arange(window - NUM_AROUND, window + NUM_AROUND + 1)
    shown = wanted.clip(0, frames.num_windows - 1)
    read = frames.read(int(shown[0]), int(shown[-1]) + 1)
    images = [frames.drawn(image) for image in read]
    view = _View.around(moment, frames)
    saturation = saturation_of(images[window - shown[0]])
    boxes = ShownBoxes(frames, detections, labels)
    pictures = []
    for place, at in enumerate(shown.tolist()):
        time_us = int(frames.stop_us[at])
        overlays = [view.detections(boxes.detected_at(time_us))]
        truth = boxes.labelled_at(time_us)
        if truth is not None:
            overlays.append(view.labels(truth))
        if place == NUM_AROUND:
            overlays += view.concerned(moment)
        picture = view.cut(polarity_image(images[at - shown[0]], saturation))
        pictures.append(mark_boxes(picture, *overlays, scale=1))
    return np.concatenate(pictures, axis=1)


def _window_at(stop_us: Int64[np.ndarray, " W"], time_us: int) -> int | None:
    """The window that ends nearest to a moment, if it ends near it."""
    if not len(stop_us):
        return None
    window = int(np.abs(stop_us - time_us).argmin())
    return window if abs(int(stop_us[window]) - time_us) <= _NEAR_US else None


@dataclass(frozen=True)
class _View:
    """A part of a representation, and how it is enlarged.

    Attributes:
        left: First column.
        top: First row.
        scale: Px of the picture per px of the representation.
        downsampled_by: Px of the sensor per px of the representation.
    """

    left: int
    top: int
    scale: float
    downsampled_by: int

    @classmethod
    def around(cls, moment: Moment, frames: StoredRepresentations) -> "_View":
        """The boxes concerned with what is around them, inside the picture as far as possible."""
        boxes = np.array([box for box in (moment.box_xywh, moment.label_xywh) if box], np.float32)
        corners_xyxy = xywh_to_xyxy(boxes) / np.float32(frames.downsampled_by)
        low, high = corners_xyxy[:, :2].min(axis=0), corners_xyxy[:, 2:].max(axis=0)
        size = (high - low) * _CONTEXT
        wanted = max(float(size[0]), float(size[1]) * WIDTH / HEIGHT, _LEAST_PX)
        scale = WIDTH / wanted
        # Such factors keep the pixels of the representation about equally large.
        scale = int(2 * scale) / 2 if scale >= 1 else scale
        width, height = WIDTH / scale, HEIGHT / scale
        left, top = (low + high) / 2 - np.array([width, height]) / 2
        return cls(
            left=round(_inside(float(left), width, frames.width)),
            top=round(_inside(float(top), height, frames.height)),
            scale=scale,
            downsampled_by=frames.downsampled_by,
        )

    def cut(self, picture: RgbImage) -> RgbImage:
        """This part of a picture, enlarged; what lies outside it has no events."""
        box = (self.left, self.top, self.left + WIDTH / self.scale, self.top + HEIGHT / self.scale)
        right, bottom = (-(-side // 1) for side in box[2:])
        part = Image.new("RGB", (int(right) - self.left, int(bottom) - self.top), palette.NO_EVENTS)
        part.paste(Image.fromarray(picture), (-self.left, -self.top))
        resample = Image.Resampling.NEAREST if self.scale >= 1 else Image.Resampling.BOX
        source = (0, 0, WIDTH / self.scale, HEIGHT / self.scale)
        return np.asarray(part.resize((WIDTH, HEIGHT), resample, box=source))

    def detections(self, table: np.ndarray) -> Overlay:
        """Solid boxes in the colours of their classes."""
        placed, is_seen = self._seen(table)
        return Overlay(placed, palette.class_colours(table["class_id"][is_seen].tolist()))

    def labels(self, table: np.ndarray) -> Overlay:
        """Dashed white boxes."""
        placed, _ = self._seen(table)
        return Overlay(placed, (palette.LABEL,) * len(placed), outline="dashed")

    def concerned(self, moment: Moment) -> list[Overlay]:
        """The box concerned, and a second outline around it."""
        box = self._placed(xywh_to_xyxy(np.array([moment.box_xywh], np.float32)))
        outwards = np.array([-1, -1, 1, 1], np.float32)
        around = [Overlay(box + px * outwards, (palette.MISTAKE,)) for px in _HALO_PX]
        return [*around, Overlay(box, (moment.colour,))] if moment.is_detected else around

    def _seen(self, table: np.ndarray) -> tuple[Float[np.ndarray, "N 4"], Bool[np.ndarray, " M"]]:
        """The boxes that are in the picture, and which these are."""
        placed = self._placed(corners(table, 1))
        outside = np.concatenate([placed[:, :2] >= [WIDTH, HEIGHT], placed[:, 2:] <= 0], axis=1)
        is_seen: Bool[np.ndarray, " M"] = ~np.any(outside, axis=1)
        return placed[is_seen], is_seen

    def _placed(self, boxes_xyxy: Float[np.ndarray, "N 4"]) -> Float[np.ndarray, "N 4"]:
        """Corners in px of the picture, from px of the sensor."""
        origin = np.array([self.left, self.top, self.left, self.top], np.float32)
        placed = (boxes_xyxy / self.downsampled_by - origin) * self.scale
        kept: Float[np.ndarray, "N 4"] = placed.astype(np.float32)
        return kept


def _inside(start: float, length: float, available: int) -> float:
    """Start of a part, moved inside what is available; centred if it is longer than that."""
    if length >= available:
        return (available - length) / 2
    return min(max(start, 0.0), available - length)

"""Pictures of windows with what was detected and what is there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Integer
from PIL import Image, ImageDraw, ImageFont

from etram_pipeline.core.boxes import xywh_to_xyxy
from etram_pipeline.drawing import palette
from etram_pipeline.drawing.render import (
    Overlay,
    RgbImage,
    enlarge,
    enlargement,
    font,
    mark_boxes,
    polarity_image,
    text_px,
)
from etram_pipeline.labels.table import LabelTable

_MARGIN_PX = 12


@dataclass(frozen=True)
class AnnotatedWindow:
    """One window and what belongs on its picture.

    Attributes:
        frame: Representation of the window.
        recording: Recording it is of.
        time_us: End of the window, in microseconds.
        detections: Detections to draw, or rows of tracks, in px of the sensor.
        labels: Ground truth to draw, in px of the sensor; None where nothing was labelled.
        downsampled_by: Sensor pixels per pixel of the representation, along each axis.
        label_tags: Text beside each label; empty for none.
    """

    frame: Integer[np.ndarray, "C H W"]
    recording: str
    time_us: int
    detections: np.ndarray
    labels: LabelTable | None
    downsampled_by: int
    label_tags: tuple[str, ...] = ()


class Annotator:
    """Draws scenes of one size, each between a headline and a legend.

    Solid boxes are detections in the colour of their class, with the joint confidence; dashed
    white ones are ground truth.
    """

    _verb = "detected"

    def __init__(
        self,
        class_names: Sequence[str],
        scale: int | None = None,
        saturation: float | None = None,
    ) -> None:
        """Args name the classes, the enlargement and the strength drawn at full brightness."""
        self._class_names = tuple(class_names)
        self._scale = scale
        self._saturation = saturation

    def draw(self, scene: AnnotatedWindow) -> RgbImage:
        """Picture of one scene; of one size for all scenes of one size."""
        scale = self._scale or enlargement(scene.frame.shape[2])
        overlays = self._found(scene)
        if scene.labels is not None:
            overlays.append(_outlines(scene, scene.labels))
        picture = mark_boxes(self._background(scene, scale), *overlays, scale=scale)
        width = picture.shape[1]
        headline = _headline(scene, width, self._verb)
        return np.concatenate([headline, picture, self._legend(scene, width)])

    def _background(self, scene: AnnotatedWindow, scale: int) -> RgbImage:
        """What boxes are drawn on: the events, enlarged by `scale`."""
        return enlarge(polarity_image(scene.frame, self._saturation), scale)

    def _found(self, scene: AnnotatedWindow) -> list[Overlay]:
        """Boxes that are not ground truth, those drawn first at first."""
        class_ids = scene.detections["class_id"].tolist()
        tags = [
            f"{class_title(self._class_names, class_id)} {score:.2f}"
            for class_id, score in zip(class_ids, scene.detections["score"].tolist(), strict=True)
        ]
        boxes = Overlay(
            boxes_xyxy=corners(scene.detections, scene.downsampled_by),
            colours=palette.class_colours(class_ids),
            tags=tuple(tags),
        )
        return [boxes]

    def _legend(self, scene: AnnotatedWindow, width: int) -> RgbImage:
        """Each class with its colour and its number of detections, in as many rows as it takes."""
        size_px = text_px(width)
        letters, row_px, swatch_px = font(size_px), 2 * size_px, size_px - 3
        counts = np.bincount(scene.detections["class_id"], minlength=len(self._class_names))
        widths = [letters.getlength(f"{name} 00") + 3 * swatch_px for name in self._class_names]
        places, num_rows = _flow(widths, width)
        image = Image.new("RGB", (width, num_rows * row_px), palette.PANEL)
        draw = ImageDraw.Draw(image)
        for class_id, (x, row) in enumerate(places):
            top = row * row_px + (row_px - swatch_px) // 2
            colour = palette.class_colour(class_id)
            draw.rectangle((x, top, x + swatch_px, top + swatch_px), fill=colour)
            count = int(counts[class_id])
            ink = palette.PANEL_INK if count else palette.PANEL_MUTED
            text = f"{class_title(self._class_names, class_id)} {count or ''}"
            where = (x + swatch_px + 7, row * row_px + row_px / 2)
            draw.text(where, text, fill=ink, font=letters, anchor="lm")
        return np.asarray(image)


def class_title(class_names: Sequence[str], class_id: int) -> str:
    """Name of a class, or its number where it has none."""
    return class_names[class_id] if class_id < len(class_names) else f"class {class_id}"


def _headline(scene: AnnotatedWindow, width: int, verb: str) -> RgbImage:
    size_px = text_px(width)
    image = Image.new("RGB", (width, 2 * size_px + 6), palette.PANEL)
    draw = ImageDraw.Draw(image)
    middle = image.height / 2
    right = width - _MARGIN_PX
    for text in _counts(scene, verb):
        draw.text((right, middle), text, fill=palette.PANEL_MUTED, font=font(size_px), anchor="rm")
        right -= round(font(size_px).getlength(text)) + size_px
    time = f"{scene.time_us / 1e6:.2f} s"
    title, letters = font(size_px + 2, bold=True), font(size_px + 2)
    available = right - letters.getlength(time) - 2 * _MARGIN_PX - size_px
    name = _shortened(scene.recording, title, available)
    draw.text((_MARGIN_PX, middle), name, fill=palette.PANEL_INK, font=title, anchor="lm")
    left = _MARGIN_PX + title.getlength(name) + size_px
    draw.text((left, middle), time, fill=palette.PANEL_INK, font=letters, anchor="lm")
    return np.asarray(image)


def _counts(scene: AnnotatedWindow, verb: str) -> Iterator[str]:
    """What the right end of the headline says, from right to left."""
    if scene.labels is not None:
        yield f"{len(scene.labels)} labelled (dashed)"
    yield f"{len(scene.detections)} {verb}"


def _shortened(text: str, letters: ImageFont.FreeTypeFont, width: float) -> str:
    """The text, or its beginning and an ellipsis, no wider than `width` px."""
    if letters.getlength(text) <= width:
        return text
    while text and letters.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def _flow(widths: Sequence[float], available: int) -> tuple[list[tuple[int, int]], int]:
    """Column in px and row of things laid out from left to right, and the number of rows."""
    places: list[tuple[int, int]] = []
    x, row = _MARGIN_PX, 0
    for width in widths:
        if x + width > available and x > _MARGIN_PX:
            x, row = _MARGIN_PX, row + 1
        places.append((x, row))
        x += round(width)
    return places, row + 1


def _outlines(scene: AnnotatedWindow, labels: LabelTable) -> Overlay:
    return Overlay(
        boxes_xyxy=corners(labels, scene.downsampled_by),
        colours=(palette.LABEL,) * len(labels),
        tags=scene.label_tags,
        outline="dashed",
    )


def corners(table: np.ndarray, downsampled_by: int) -> np.ndarray:
    """Corners of the boxes of a table, in px of a representation."""
    boxes_xywh = np.stack([table[name] for name in ("x", "y", "w", "h")], axis=1)
    return xywh_to_xyxy(boxes_xywh) / np.float32(downsampled_by)

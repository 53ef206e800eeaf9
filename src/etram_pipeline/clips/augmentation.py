"""Random changes of clips; NumPy only.

The random draw (`AugmentationSettings.draw`) is separate from its application (`View`,
`EventChanges`), so that all clips of a part share one draw.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Shaped
from pydantic import Field

from etram_pipeline.clips.event_augmentation import EventAugmentationSettings, HistogramLayout
from etram_pipeline.clips.ground_truth import WindowBoxes
from etram_pipeline.clips.schedule import Clip, Sampling
from etram_pipeline.clips.view import BoxesXyxy, Rectangle, View
from etram_pipeline.core.component import Settings

_VIEW, _EVENTS, _EACH_EVENT = 0, 2, 4
"""Random streams of a clip; random clips use the number after each."""


class AugmentationSettings(Settings):
    """How often and how far clips are changed; the defaults are the reference's for random clips.

    Attributes:
        flip_probability: Share of clips that are mirrored.
        zoom_probability: Share of clips that are zoomed, in or out.
        zoom_in_share: Share of the zoomed clips that are zoomed in.
        max_zoom_in: Largest magnification; the factor is uniform between 1 and this.
        max_zoom_out: Largest reduction; the factor is uniform between 1 and this.
        events: Changes of the events, applied before the clip is mirrored and zoomed.
    """

    flip_probability: float = Field(default=0.5, ge=0, le=1)
    zoom_probability: float = Field(default=0.8, ge=0, le=1)
    zoom_in_share: float = Field(default=0.8, ge=0, le=1)
    max_zoom_in: float = Field(default=1.5, ge=1)
    max_zoom_out: float = Field(default=1.2, ge=1)
    events: EventAugmentationSettings = EventAugmentationSettings()

    def draw(
        self, rng: np.random.Generator, height: int, width: int, boxes_xyxy: BoxesXyxy
    ) -> View:
        """Draw a random view.

        Args:
            rng: Source of randomness.
            height: Rows of the representations.
            width: Columns of the representations.
            boxes_xyxy: Boxes, in px; a zoom keeps one of them in view. Without boxes, a zoom may
                show any part of the image.
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


@dataclass(frozen=True)
class Augmentation:
    """Random changes of the clips of one training run.

    Attributes:
        settings: Settings by sampling; clips of any other sampling stay unchanged.
        seed: Seed of the draws, combined with `Clip.draw`.
    """

    settings: Mapping[Sampling, AugmentationSettings] = field(default_factory=dict)
    seed: int = 0

    def view(
        self, clip: Clip, height: int, width: int, last_boxes: WindowBoxes | None
    ) -> View | None:
        """The view of a clip, the same for all clips of a part; None if nothing changes."""
        settings = self.settings.get(clip.sampling)
        if settings is None:
            return None
        rng = self._rng(clip, _VIEW)
        anchors = last_boxes if clip.sampling == "random" else None
        no_boxes = np.empty((0, 4), np.float32)
        return settings.draw(rng, height, width, anchors.boxes_xyxy if anchors else no_boxes)

    def change_events(
        self,
        clip: Clip,
        representations: Shaped[np.ndarray, "T C H W"],
        layout: HistogramLayout | None,
    ) -> Shaped[np.ndarray, "T C H W"]:
        """The representations of a clip with its events changed.

        All clips of a part share the kind and the strength of the change; each event is drawn
        independently.
        """
        settings = self.settings.get(clip.sampling)
        if layout is None or settings is None or not settings.events.is_active:
            return representations
        changes = settings.events.draw(self._rng(clip, _EVENTS))
        rng = self._rng(clip, _EACH_EVENT, clip.start)
        return changes.apply(representations, layout, rng)

    @property
    def changes_events(self) -> bool:
        """Whether the events of any clip may change."""
        return any(settings.events.is_active for settings in self.settings.values())

    def _rng(self, clip: Clip, what: int, *of_part: int) -> np.random.Generator:
        kind = what + (clip.sampling == "random")
        return np.random.default_rng([self.seed, kind, *clip.draw, *of_part])


def _shrink(image: Rectangle, factor: float) -> Rectangle:
    return Rectangle(0, 0, int(image.width / factor), int(image.height / factor))


def _place_anywhere(rng: np.random.Generator, image: Rectangle, window: Rectangle) -> Rectangle:
    left = rng.integers(image.width - window.width, endpoint=True)
    top = rng.integers(image.height - window.height, endpoint=True)
    return Rectangle(int(left), int(top), window.width, window.height)


def _place_around_box(
    rng: np.random.Generator, image: Rectangle, window: Rectangle, boxes_xyxy: BoxesXyxy
) -> Rectangle:
    """A rectangle that contains one of the boxes, or as much of it as fits."""
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

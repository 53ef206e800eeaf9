"""Clips read from stored representations, with the boxes to find in them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped
from torch.utils.data import Dataset, Sampler
from typing_extensions import override

from etram_pipeline.clips.augmentation import AugmentationSettings, View, is_visible
from etram_pipeline.clips.event_augmentation import HistogramLayout
from etram_pipeline.clips.schedule import Clip, Sampling, Step
from etram_pipeline.core.boxes import xywh_to_xyxy
from etram_pipeline.core.errors import StoreError
from etram_pipeline.labels.frames import LabelledFrames

_VIEW, _EVENTS, _EACH_EVENT = 0, 2, 4
"""What is drawn by chance; to each number, 1 is added for random clips."""


@runtime_checkable
class WindowRepresentations(Protocol):
    """Representations of one recording's windows, as `stores.store` keeps them."""

    @property
    def num_windows(self) -> int:
        """Windows in the recording."""

    @property
    def channels(self) -> int:
        """Channels of each representation."""

    @property
    def height(self) -> int:
        """Rows of each representation."""

    @property
    def width(self) -> int:
        """Columns of each representation."""

    @property
    def downsampled_by(self) -> int:
        """Sensor pixels per pixel of a representation, along each axis."""

    @property
    def stop_us(self) -> Int64[np.ndarray, " W"]:
        """End of each window, in microseconds."""

    @property
    def frame_windows(self) -> Int64[np.ndarray, " F"]:
        """Window that ends at each labelled frame."""

    @property
    def settings(self) -> dict[str, Any] | None:
        """How the representations were made; None if that is not known."""

    def read(self, start: int, stop: int) -> Shaped[np.ndarray, "T C H W"]:
        """Representations of the windows from `start` to before `stop`."""


@dataclass(frozen=True)
class RepresentationsInMemory:
    """Representations that need no store; see `WindowRepresentations`."""

    images: Shaped[np.ndarray, "N C H W"]
    stop_us: Int64[np.ndarray, " N"]
    frame_windows: Int64[np.ndarray, " F"]
    downsampled_by: int = 1
    settings: dict[str, Any] | None = None

    @property
    def num_windows(self) -> int:
        """Windows in the recording."""
        return len(self.images)

    @property
    def channels(self) -> int:
        """Channels of each representation."""
        return int(self.images.shape[1])

    @property
    def height(self) -> int:
        """Rows of each representation."""
        return int(self.images.shape[2])

    @property
    def width(self) -> int:
        """Columns of each representation."""
        return int(self.images.shape[3])

    def read(self, start: int, stop: int) -> Shaped[np.ndarray, "T C H W"]:
        """Representations of the windows from `start` to before `stop`."""
        return self.images[start:stop]


@dataclass(frozen=True)
class Boxes:
    """Boxes of one window, in px of the representation."""

    boxes_xyxy: Float32[np.ndarray, "N 4"]
    class_ids: Int64[np.ndarray, " N"]

    def select(self, chosen: Bool[np.ndarray, " N"]) -> "Boxes":
        """Some of the boxes."""
        return Boxes(self.boxes_xyxy[chosen], self.class_ids[chosen])


@dataclass(frozen=True)
class Sample:
    """One clip.

    Attributes:
        frames: Representation of each window.
        clip: Where they come from.
        times_us: End of each window, in microseconds.
        keyframes: Windows of the clip to train on or to detect in, ascending.
        targets: Ground truth of each keyframe; empty where there is none to compare with.
    """

    frames: Shaped[np.ndarray, "T C H W"]
    clip: Clip
    times_us: Int64[np.ndarray, " T"]
    keyframes: tuple[int, ...]
    targets: tuple[Boxes, ...] = ()


@dataclass(frozen=True)
class Augmentation:
    """What chance may do to clips.

    Attributes:
        settings: By the way a clip was chosen; other clips are left as they are.
        seed: With the number of a clip's part, decides what is drawn for it.
    """

    settings: Mapping[Sampling, AugmentationSettings] = field(default_factory=dict)
    seed: int = 0

    def view(self, clip: Clip, height: int, width: int, last_boxes: Boxes | None) -> View | None:
        """How to look at a clip; the same for all clips of a part."""
        settings = self.settings.get(clip.sampling)
        if settings is None:
            return None
        rng = self._rng(clip, _VIEW)
        anchors = last_boxes if clip.sampling == "random" else None
        no_boxes = np.empty((0, 4), np.float32)
        return settings.draw(rng, height, width, anchors.boxes_xyxy if anchors else no_boxes)

    def change_events(
        self, clip: Clip, frames: Shaped[np.ndarray, "T C H W"], layout: HistogramLayout | None
    ) -> Shaped[np.ndarray, "T C H W"]:
        """A clip whose events are changed: all clips of a part alike, each event by itself."""
        settings = self.settings.get(clip.sampling)
        if layout is None or settings is None or not settings.events.is_active:
            return frames
        changes = settings.events.draw(self._rng(clip, _EVENTS))
        return changes.of_frames(frames, layout, self._rng(clip, _EACH_EVENT, clip.start))

    @property
    def changes_events(self) -> bool:
        """Whether the events of any clip are changed."""
        return any(settings.events.is_active for settings in self.settings.values())

    def _rng(self, clip: Clip, what: int, *of_part: int) -> np.random.Generator:
        kind = what + (clip.sampling == "random")
        return np.random.default_rng([self.seed, kind, *clip.draw, *of_part])


class ClipDataset(Dataset["Sample | None"]):
    """Clips by what a schedule calls them; the index of an item is the clip itself."""

    def __init__(
        self,
        frames: Mapping[str, WindowRepresentations],
        labels: Mapping[str, LabelledFrames] | None = None,
        augmentation: Augmentation | None = None,
        keyframes: Literal["labelled", "all"] = "labelled",
    ) -> None:
        """Check that everything fits together.

        Args:
            frames: Representations by recording. Their sizes may differ, but not in one batch.
            labels: Ground truth by recording, to learn from; None to detect only.
            augmentation: What to draw by chance.
            keyframes: Windows to learn from or to detect in.

        Raises:
            StoreError: If the recordings differ in channels or in resolution, labels and windows do
                not belong together, or events are to be changed in something else than histograms.
        """
        self._frames = dict(frames)
        _check_shapes(self._frames)
        self._truth = None if labels is None else _in_representation_px(self._frames, labels)
        self._augmentation = augmentation or Augmentation()
        self._all_windows = keyframes == "all"
        self._layouts = {
            name: HistogramLayout.of(stored.settings, name)
            for name, stored in self._frames.items()
            if self._augmentation.changes_events
        }

    @override
    def __getitem__(self, clip: Clip | None) -> Sample | None:
        if clip is None:
            return None
        stored = self._frames[clip.recording]
        first, last = np.searchsorted(stored.frame_windows, [clip.start, clip.stop]).tolist()
        windows = range(clip.start, clip.stop)
        keyframes = windows if self._all_windows else stored.frame_windows[first:last].tolist()
        targets = self._truth[clip.recording][first:last] if self._truth else []
        layout = self._layouts.get(clip.recording)
        frames = stored.read(clip.start, clip.stop)
        frames = self._augmentation.change_events(clip, frames, layout)
        last_boxes = targets[-1] if targets else None
        view = self._augmentation.view(clip, stored.height, stored.width, last_boxes)
        if view is not None:
            frames = view.of_frames(frames)
            targets = [_seen(view, boxes) for boxes in targets]
        times_us = stored.stop_us[clip.start : clip.stop]
        relative = tuple(window - clip.start for window in keyframes)
        return Sample(frames, clip, times_us, relative, tuple(targets))


class ScheduleSampler(Sampler["list[Clip | None]"]):
    """Makes a data loader follow a schedule: one step is one batch."""

    def __init__(
        self, schedule: Callable[[], Iterator[Step]], num_steps: int, first_step: int = 0
    ) -> None:
        """Follow `schedule` for `num_steps` steps in all, of which `first_step` are done."""
        self._schedule = schedule
        self._num_steps = num_steps
        self._first_step = first_step

    @override
    def __iter__(self) -> "Iterator[list[Clip | None]]":
        return map(list, islice(self._schedule(), self._first_step, self._num_steps))

    def __len__(self) -> int:
        return self._num_steps


def _check_shapes(frames: Mapping[str, WindowRepresentations]) -> None:
    """One detector reads all recordings, so they must be of one representation."""
    examples: dict[tuple[int, int], str] = {}
    for name, stored in frames.items():
        examples.setdefault((stored.channels, stored.downsampled_by), name)
    if len(examples) > 1:
        found = ", ".join(
            f"{name} has {channels} channels at 1/{downsampled_by} of the sensor's resolution"
            for (channels, downsampled_by), name in examples.items()
        )
        raise StoreError(
            f"recordings of different representations cannot be read by one detector: {found}; run "
            "`preprocess` again"
        )


def _in_representation_px(
    frames: Mapping[str, WindowRepresentations], labels: Mapping[str, LabelledFrames]
) -> dict[str, list[Boxes]]:
    """Boxes of every frame, scaled and cut to the image; those left without an area are gone."""
    truth = {}
    for name, stored in frames.items():
        labelled = labels[name]
        if len(labelled) != len(stored.frame_windows):
            raise StoreError(
                f"{name} has {len(labelled)} labelled frames, but its representations were made "
                f"for {len(stored.frame_windows)}; run `preprocess` again, with windows.kind "
                "label_aligned if there are labels to train on"
            )
        limits = np.array([stored.width, stored.height] * 2, np.float32)
        table = labelled.labels
        xywh = np.stack([table[column] for column in "xywh"], axis=1).astype(np.float32)
        corners = (xywh_to_xyxy(xywh) / np.float32(stored.downsampled_by)).clip(0, limits)
        boxes = Boxes(corners, table["class_id"].astype(np.int64))
        visible = is_visible(corners)
        ends = [*labelled.first_label[1:].tolist(), len(table)]
        truth[name] = [
            Boxes(corners[start:end], boxes.class_ids[start:end]).select(visible[start:end])
            for start, end in zip(labelled.first_label.tolist(), ends, strict=True)
        ]
    return truth


def _seen(view: View, boxes: Boxes) -> Boxes:
    corners = view.of_boxes(boxes.boxes_xyxy)
    return Boxes(corners, boxes.class_ids).select(is_visible(corners))

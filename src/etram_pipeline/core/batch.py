"""Batches that the data loader passes to a detector, and the detections it returns."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor


@dataclass(frozen=True)
class Targets:
    """Ground truth of one window, in px of the representation.

    Attributes:
        boxes_xyxy: Corners, `x1 < x2` and `y1 < y2`.
        class_ids: Class of each box.
        masks: Pixels of each object, of the size of the image; None: the labels have no masks.
        track_ids: Track of each object, unique within its recording; None: the labels have no
            tracks.
    """

    boxes_xyxy: Float[Tensor, "N 4"]
    class_ids: Int64[Tensor, " N"]
    masks: Bool[Tensor, "N H W"] | None = None
    track_ids: Int64[Tensor, " N"] | None = None


@dataclass(frozen=True)
class Detections:
    """Detections in one window, best first, in px of the representation.

    Attributes:
        boxes_xyxy: Corners, inside the image.
        class_ids: Class of each box.
        scores: Confidence that the box holds an object of the class, in `[0, 1]`.
        objectness: Probability of any object, in `[0, 1]`; None if the detector has no such output.
        class_scores: Probability of the class given an object, in `[0, 1]`; None likewise. Where
            there are both, `scores` is their product.
        masks: Pixels of each object, of the size of the image; None: the detector has no masks.
    """

    boxes_xyxy: Float[Tensor, "N 4"]
    class_ids: Int64[Tensor, " N"]
    scores: Float[Tensor, " N"]
    objectness: Float[Tensor, " N"] | None = None
    class_scores: Float[Tensor, " N"] | None = None
    masks: Bool[Tensor, "N H W"] | None = None

    def select(self, chosen: Int64[Tensor, " n"]) -> "Detections":
        """The detections at these places, in their order."""
        return Detections(
            boxes_xyxy=self.boxes_xyxy[chosen],
            class_ids=self.class_ids[chosen],
            scores=self.scores[chosen],
            objectness=None if self.objectness is None else self.objectness[chosen],
            class_scores=None if self.class_scores is None else self.class_scores[chosen],
            masks=None if self.masks is None else self.masks[chosen],
        )


@dataclass(frozen=True)
class SequenceBatch:
    """`T` consecutive windows in each of `B` lanes.

    Attributes:
        frames: Representations, oldest window first; zeros where a lane has no window.
        starts: True where a lane begins a recording, so that no state precedes its first window.
        keyframes: Window and lane `(t, b)` of every frame to train on or to detect in.
        targets: Ground truth of each keyframe; empty if there is none.
        recordings: Recording that each lane reads; empty for a lane that has finished.
        times_us: End of each window in microseconds, -1 where a lane has no window.
    """

    frames: Shaped[Tensor, "T B C H W"]
    starts: Bool[Tensor, " B"]
    keyframes: Int64[Tensor, "K 2"]
    targets: tuple[Targets, ...] = ()
    recordings: tuple[str, ...] = ()
    times_us: Int64[Tensor, "T B"] | None = None

    def select_keyframes(self, features: Shaped[Tensor, "T B C H W"]) -> Shaped[Tensor, "K C H W"]:
        """Frames or feature maps of the keyframes, in the order of `keyframes`."""
        t, b = self.keyframes.unbind(1)
        # Indexing channels-last maps directly keeps the memory layout of their gradients.
        return features.movedim(2, -1)[t, b].movedim(-1, 1)

    def to(self, device: torch.device | str) -> "SequenceBatch":
        """The same batch on `device`; names and times stay where they are.

        Copies to a GPU are asynchronous: only work on that GPU waits for them. The targets of all
        images are copied together.
        """
        to_gpu = torch.device(device).type != "cpu"
        return SequenceBatch(
            frames=self.frames.to(device, non_blocking=to_gpu),
            starts=self.starts.to(device, non_blocking=to_gpu),
            keyframes=self.keyframes.to(device, non_blocking=to_gpu),
            targets=_move_together(self.targets, device, non_blocking=to_gpu),
            recordings=self.recordings,
            times_us=self.times_us,
        )

    def pin_memory(self) -> "SequenceBatch":
        """The same batch in memory that a GPU can copy from while it computes."""
        return replace(
            self,
            frames=self.frames.pin_memory(),
            starts=self.starts.pin_memory(),
            keyframes=self.keyframes.pin_memory(),
        )


def _move_together(
    targets: tuple[Targets, ...], device: torch.device | str, *, non_blocking: bool
) -> tuple[Targets, ...]:
    if not targets:
        return ()

    def move(of_images: list[Tensor]) -> Iterator[Tensor]:
        packed = torch.cat(of_images).to(device, non_blocking=non_blocking)
        return iter(packed.split([len(of_image) for of_image in of_images]))

    boxes = move([target.boxes_xyxy for target in targets])
    class_ids = move([target.class_ids for target in targets])
    masks = (
        None if target.masks is None else target.masks.to(device, non_blocking=non_blocking)
        for target in targets
    )
    tracked = [target.track_ids for target in targets if target.track_ids is not None]
    moved = move(tracked) if tracked else iter(())
    track_ids = (None if target.track_ids is None else next(moved) for target in targets)
    return tuple(
        Targets(*of_image) for of_image in zip(boxes, class_ids, masks, track_ids, strict=True)
    )

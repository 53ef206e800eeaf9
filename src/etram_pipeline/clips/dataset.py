"""Clips read from stored representations, with their ground truth."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Int64, Shaped
from torch.utils.data import Dataset
from typing_extensions import override

from etram_pipeline.clips.augmentation import Augmentation
from etram_pipeline.clips.event_augmentation import HistogramLayout
from etram_pipeline.clips.ground_truth import WindowBoxes, boxes_in_view, ground_truth
from etram_pipeline.clips.masks import ground_truth_masks
from etram_pipeline.clips.representations import WindowRepresentations
from etram_pipeline.clips.schedule import Clip
from etram_pipeline.core.errors import StoreError
from etram_pipeline.labels.frames import LabelledFrames


@dataclass(frozen=True)
class Sample:
    """One clip as it is read.

    Attributes:
        representations: Representation of each window.
        clip: The windows that were read.
        times_us: End of each window, in microseconds.
        keyframes: Windows of the clip to train on or to detect in, ascending.
        targets: Ground truth of each keyframe; empty for clips without ground truth.
    """

    representations: Shaped[np.ndarray, "T C H W"]
    clip: Clip
    times_us: Int64[np.ndarray, " T"]
    keyframes: tuple[int, ...]
    targets: tuple[WindowBoxes, ...] = ()


class ClipDataset(Dataset["Sample | None"]):
    """Clips of a schedule; the index of an item is the clip itself."""

    def __init__(
        self,
        representations: Mapping[str, WindowRepresentations],
        labels: Mapping[str, LabelledFrames] | None = None,
        augmentation: Augmentation | None = None,
        keyframes: Literal["labelled", "all"] = "labelled",
    ) -> None:
        """Check the recordings.

        Args:
            representations: Representations by recording. Recordings may differ in size, but those
                of one batch may not.
            labels: Labelled frames by recording, for training; None for detecting only. The masks
                of labels that have any are decoded with each clip.
            augmentation: Random changes of clips.
            keyframes: Windows to train on or to detect in.

        Raises:
            StoreError: If recordings differ in channels or in downsampling, if labels and
                representations do not belong together, or if the augmentation changes events and
                the representations are not stacked histograms.
        """
        self._recordings = dict(representations)
        _check_channels(self._recordings)
        self._truth = None if labels is None else ground_truth(self._recordings, labels)
        self._masks = {} if labels is None else ground_truth_masks(self._recordings, labels)
        self._augmentation = augmentation or Augmentation()
        self._all_windows = keyframes == "all"
        self._layouts = {
            name: HistogramLayout.of(stored.encoding, name)
            for name, stored in self._recordings.items()
            if self._augmentation.changes_events
        }

    @override
    def __getitem__(self, clip: Clip | None) -> Sample | None:
        if clip is None:
            return None
        stored = self._recordings[clip.recording]
        first, last = np.searchsorted(stored.frame_windows, [clip.start, clip.stop]).tolist()
        windows = range(clip.start, clip.stop)
        keyframes = windows if self._all_windows else stored.frame_windows[first:last].tolist()
        targets = self._targets(clip.recording, first, last)
        layout = self._layouts.get(clip.recording)
        images = stored.read(clip.start, clip.stop)
        images = self._augmentation.change_events(clip, images, layout)
        last_boxes = targets[-1] if targets else None
        view = self._augmentation.view(clip, stored.height, stored.width, last_boxes)
        if view is not None:
            images = view.of_images(images)
            targets = [boxes_in_view(view, boxes) for boxes in targets]
        times_us = stored.stop_us[clip.start : clip.stop]
        relative = tuple(window - clip.start for window in keyframes)
        return Sample(images, clip, times_us, relative, tuple(targets))

    def _targets(self, recording: str, first: int, last: int) -> list[WindowBoxes]:
        """Ground truth of some labelled frames; empty without labels."""
        targets = self._truth[recording][first:last] if self._truth else []
        if recording not in self._masks:
            return targets
        masks = self._masks[recording][first:last]
        return [
            replace(boxes, masks=encoded.decode())
            for boxes, encoded in zip(targets, masks, strict=True)
        ]


def _check_channels(recordings: Mapping[str, WindowRepresentations]) -> None:
    """Check that one detector can read all recordings."""
    examples: dict[tuple[int, int], str] = {}
    for name, stored in recordings.items():
        examples.setdefault((stored.channels, stored.downsampled_by), name)
    if len(examples) > 1:
        found = ", ".join(
            f"{name} has {channels} channels at 1/{downsampled_by} of the sensor's resolution"
            for (channels, downsampled_by), name in examples.items()
        )
        raise StoreError(
            f"one detector cannot read recordings of different representations: {found}; run "
            "`preprocess` again"
        )

"""How often each class occurs."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.errors import LabelError
from etram_pipeline.labels.frames import LabelledFrames


@dataclass(frozen=True)
class ClassCounts:
    """Boxes and labelled frames of each class.

    Attributes:
        num_boxes: Boxes of each class, by class id.
        num_frames: Labelled frames with at least one box of a class, by class id.
        total_frames: All labelled frames, also those without boxes.
    """

    num_boxes: Int64[np.ndarray, " K"]
    num_frames: Int64[np.ndarray, " K"]
    total_frames: int


def count_classes(recordings: Iterable[LabelledFrames], num_classes: int) -> ClassCounts:
    """Boxes and frames of each class in several recordings.

    Args:
        recordings: Labels of each recording.
        num_classes: Number of classes.

    Raises:
        LabelError: If a class id is not below `num_classes`.
    """
    num_boxes, num_frames = (np.zeros(num_classes, np.int64) for _ in range(2))
    total_frames = 0
    for frames in recordings:
        ids = frames.labels["class_id"].astype(np.int64)
        if ids.max(initial=0) >= num_classes:
            raise LabelError(
                f"there are boxes of class {ids.max()}, but there are {num_classes} classes; name "
                "it in dataset.class_names, or drop it with a label filter"
            )
        frame_of_box = np.searchsorted(frames.first_label, np.arange(len(ids)), side="right") - 1
        shown = np.unique(frame_of_box * num_classes + ids) % num_classes
        num_boxes += np.bincount(ids, minlength=num_classes)
        num_frames += np.bincount(shown, minlength=num_classes)
        total_frames += len(frames)
    return ClassCounts(num_boxes, num_frames, total_frames)

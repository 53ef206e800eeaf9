"""Ground truth of windows, in px of the representation; NumPy only."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Int64

from etram_pipeline.clips.representations import WindowRepresentations
from etram_pipeline.clips.view import View, is_visible
from etram_pipeline.core.boxes import xywh_to_xyxy
from etram_pipeline.core.errors import StoreError
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.table import LabelTable, has_track_ids


@dataclass(frozen=True)
class WindowBoxes:
    """Labelled boxes of one window, in px of the representation.

    Attributes:
        boxes_xyxy: Corners of the boxes.
        class_ids: Class of each box.
        masks: Pixels of each object; None: the labels have no masks, or none are wanted.
        track_ids: Track of each box, unique within the recording; None: the labels have no tracks.
    """

    boxes_xyxy: Float32[np.ndarray, "N 4"]
    class_ids: Int64[np.ndarray, " N"]
    masks: Bool[np.ndarray, "N H W"] | None = None
    track_ids: Int64[np.ndarray, " N"] | None = None

    def select(self, chosen: Bool[np.ndarray, " N"] | slice) -> "WindowBoxes":
        """The chosen boxes."""
        masks = None if self.masks is None else self.masks[chosen]
        track_ids = None if self.track_ids is None else self.track_ids[chosen]
        return WindowBoxes(self.boxes_xyxy[chosen], self.class_ids[chosen], masks, track_ids)


def ground_truth(
    representations: Mapping[str, WindowRepresentations], labels: Mapping[str, LabelledFrames]
) -> dict[str, list[WindowBoxes]]:
    """Boxes of every labelled frame by recording, scaled and clipped to the image.

    Boxes without an area are left out.

    Raises:
        StoreError: If labels and representations of a recording do not belong together.
    """
    truth = {}
    for name, stored in representations.items():
        labelled = labels[name]
        if len(labelled) != len(stored.frame_windows):
            raise StoreError(
                f"{name} has {len(labelled)} labelled frames, but its representations were made "
                f"for {len(stored.frame_windows)}; run `preprocess` again, with windows.kind "
                "label_aligned if there are labels to train on"
            )
        corners = box_corners(stored, labelled.labels)
        class_ids = labelled.labels["class_id"].astype(np.int64)
        table = labelled.labels
        track_ids = table["track_id"].astype(np.int64) if has_track_ids(table) else None
        boxes = WindowBoxes(corners, class_ids, track_ids=track_ids)
        visible = is_visible(corners)
        truth[name] = [
            boxes.select(rows).select(visible[rows]) for rows in split_by_frame(labelled)
        ]
    return truth


def box_corners(stored: WindowRepresentations, table: LabelTable) -> Float32[np.ndarray, "N 4"]:
    """Corners of labelled boxes in px of the representation, clipped to the image."""
    limits = np.array([stored.width, stored.height] * 2, np.float32)
    xywh = np.stack([table[column] for column in "xywh"], axis=1).astype(np.float32)
    corners: Float32[np.ndarray, "N 4"] = xywh_to_xyxy(xywh) / np.float32(stored.downsampled_by)
    return corners.clip(0, limits)


def split_by_frame(labelled: LabelledFrames) -> list[slice]:
    """Rows of each labelled frame."""
    starts = labelled.first_label.tolist()
    return [slice(*rows) for rows in zip(starts, [*starts[1:], len(labelled.labels)], strict=True)]


def boxes_in_view(view: View, boxes: WindowBoxes) -> WindowBoxes:
    """The boxes that a view shows, with their masks."""
    corners = view.of_boxes(boxes.boxes_xyxy)
    masks = None if boxes.masks is None else view.of_images(boxes.masks[None])[0]
    seen = replace(boxes, boxes_xyxy=corners, masks=masks)
    return seen.select(is_visible(corners))

"""Ground truth of windows, in px of the representation; NumPy only."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from etram_pipeline.clips.representations import WindowRepresentations
from etram_pipeline.clips.view import View, is_visible
from etram_pipeline.core.boxes import xywh_to_xyxy
from etram_pipeline.core.errors import StoreError
from etram_pipeline.labels.frames import LabelledFrames


@dataclass(frozen=True)
class WindowBoxes:
    """Labelled boxes of one window, in px of the representation."""

    boxes_xyxy: Float32[np.ndarray, "N 4"]
    class_ids: Int64[np.ndarray, " N"]

    def select(self, chosen: Bool[np.ndarray, " N"]) -> "WindowBoxes":
        """The chosen boxes."""
        return WindowBoxes(self.boxes_xyxy[chosen], self.class_ids[chosen])


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
        limits = np.array([stored.width, stored.height] * 2, np.float32)
        table = labelled.labels
        xywh = np.stack([table[column] for column in "xywh"], axis=1).astype(np.float32)
        corners = (xywh_to_xyxy(xywh) / np.float32(stored.downsampled_by)).clip(0, limits)
        boxes = WindowBoxes(corners, table["class_id"].astype(np.int64))
        visible = is_visible(corners)
        ends = [*labelled.first_label[1:].tolist(), len(table)]
        truth[name] = [
            WindowBoxes(corners[start:end], boxes.class_ids[start:end]).select(visible[start:end])
            for start, end in zip(labelled.first_label.tolist(), ends, strict=True)
        ]
    return truth


def boxes_in_view(view: View, boxes: WindowBoxes) -> WindowBoxes:
    """The boxes that a view shows."""
    corners = view.of_boxes(boxes.boxes_xyxy)
    return WindowBoxes(corners, boxes.class_ids).select(is_visible(corners))

"""Masks of labelled windows, which are decoded when their clip is read; NumPy only."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from etram_pipeline.clips.ground_truth import box_corners, split_by_frame
from etram_pipeline.clips.representations import WindowRepresentations
from etram_pipeline.clips.view import is_visible
from etram_pipeline.core.mask_column import MASK_COLUMN, has_masks
from etram_pipeline.core.run_lengths import RunLengths, decode_columns
from etram_pipeline.labels.frames import LabelledFrames


@dataclass(frozen=True)
class EncodedMasks:
    """Masks of one window as run lengths.

    Attributes:
        masks: In px of the sensor.
        height: Rows of the representation.
        width: Columns of the representation.
        downsampled_by: Sensor pixels per pixel of the representation, along each axis.
    """

    masks: tuple[RunLengths, ...]
    height: int
    width: int
    downsampled_by: int

    def decode(self) -> Bool[np.ndarray, "N H W"]:
        """Masks in px of the representation; a pixel is set if half of its sensor pixels are."""
        decoded = np.zeros((len(self.masks), self.height, self.width), bool)
        factor = self.downsampled_by
        for image, mask in zip(decoded, self.masks, strict=True):
            first, columns = decode_columns(mask)
            start, offset = divmod(first, factor)
            # Only the columns of the object are looked at, which are few of the image's.
            num_columns = -(-(offset + columns.shape[1]) // factor)
            block = np.zeros((self.height * factor, num_columns * factor), bool)
            rows = columns[: len(block)]
            block[: len(rows), offset : offset + columns.shape[1]] = rows
            counts = block.reshape(self.height, factor, num_columns, factor).sum((1, 3))
            seen = (2 * counts >= factor**2)[:, : max(self.width - start, 0)]
            image[:, start : start + seen.shape[1]] = seen
        return decoded


def ground_truth_masks(
    representations: Mapping[str, WindowRepresentations], labels: Mapping[str, LabelledFrames]
) -> dict[str, list[EncodedMasks]]:
    """Masks of the boxes that `ground_truth` returns, for the recordings whose labels have any."""
    truth = {}
    for name, stored in representations.items():
        labelled = labels[name]
        if has_masks(labelled.labels):
            visible = is_visible(box_corners(stored, labelled.labels))
            size = stored.height, stored.width, stored.downsampled_by
            truth[name] = [
                EncodedMasks(tuple(labelled.labels[MASK_COLUMN][rows][visible[rows]]), *size)
                for rows in split_by_frame(labelled)
            ]
    return truth

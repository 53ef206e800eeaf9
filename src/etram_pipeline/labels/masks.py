"""Masks of labelled objects: the file beside a label file, and its checks."""

import json
import logging
from pathlib import Path

import numpy as np

from etram_pipeline.core.boxes import xywh_to_xyxy
from etram_pipeline.core.errors import LabelError
from etram_pipeline.core.mask_column import MASK_COLUMN, with_masks
from etram_pipeline.core.run_lengths import RunLengths, check_run_lengths, mask_boxes
from etram_pipeline.labels.table import LabelTable, box_column, in_order_of_time, read_rows

logger = logging.getLogger(__name__)

MASK_SUFFIX = "_masks.json"
_LABEL_ENDING = "_bbox.npy"
_SLACK_PX = 2.0
_MOST_OFF = 0.05
"""Share of masks off their boxes up to which single boxes are assumed to be wrong."""


def find_masks(label_path: Path) -> Path | None:
    """The file of masks that belongs to a label file; None if there is none.

    It lies beside the label file `<recording>_bbox.npy` and is named `<recording>_masks.json`.
    """
    path = label_path.with_name(label_path.name[: -len(_LABEL_ENDING)] + MASK_SUFFIX)
    return path if path.is_file() else None


def read_masks(path: Path) -> list[RunLengths]:
    """The masks of a file, in its order.

    Raises:
        LabelError: If the file is missing or damaged, or does not hold masks.
    """
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise LabelError(
            f"{path} cannot be read as a JSON list of masks: {error}; it may be truncated"
        ) from error
    if not isinstance(found, list):
        raise LabelError(
            f"{path} holds a {type(found).__name__}, but must hold a list of masks, one for each "
            "row of the label file"
        )
    masks = []
    for row, mask in enumerate(found):
        try:
            masks.append(check_run_lengths(mask))
        except ValueError as error:
            raise LabelError(f"{path} has a damaged mask in row {row}: {error}") from error
    return masks


def read_masked_labels(label_path: Path, masks_path: Path) -> LabelTable:
    """Boxes of a label file with the masks of another file, in order of time.

    Raises:
        LabelError: If a file is missing or damaged, or there are more or fewer masks than boxes.
    """
    boxes, masks = read_rows(label_path), read_masks(masks_path)
    if len(masks) != len(boxes):
        raise LabelError(
            f"{masks_path} has {len(masks)} masks, but {label_path} has {len(boxes)} boxes: give "
            "one mask for each row, in the same order"
        )
    return in_order_of_time(with_masks(boxes, masks), str(label_path))


def check_masks(labels: LabelTable, height: int, width: int, where: str) -> None:
    """Check that masks are of the size of the sensor and lie in their boxes.

    A mask lies in its box if the centre of its extent does; empty masks always do. A few masks
    outside their boxes are reported in the log.

    Args:
        labels: Boxes with masks.
        height: Rows of the sensor, in px.
        width: Columns of the sensor, in px.
        where: Source of the masks, for messages.

    Raises:
        LabelError: If a mask has another size, or many lie outside their boxes.
    """
    masks = labels[MASK_COLUMN].tolist()
    for mask in masks:
        if mask["size"] != [height, width]:
            found = " x ".join(map(str, mask["size"]))
            raise LabelError(
                f"{where} has a mask of {found} px (height x width), but the sensor has "
                f"{height} x {width} px: give masks in px of the sensor"
            )
    corners = mask_boxes(masks)
    xywh = np.stack([box_column(labels, name) for name in ("x", "y", "w", "h")], axis=1)
    boxes = xywh_to_xyxy(xywh.astype(np.float64))
    centres = (corners[:, :2] + corners[:, 2:]) / 2
    is_off = (centres < boxes[:, :2] - _SLACK_PX) | (centres > boxes[:, 2:] + _SLACK_PX)
    off = np.flatnonzero(is_off.any(axis=1) & (corners[:, 2] > corners[:, 0]))
    if not len(off):
        return
    row = int(off[0])
    example = (
        f"one extends from x, y = {_text(corners[row, :2])} to {_text(corners[row, 2:])}, but its "
        f"box at {labels['t'][row]} us from {_text(boxes[row, :2])} to {_text(boxes[row, 2:])}"
    )
    if len(off) > _MOST_OFF * len(masks):
        raise LabelError(
            f"{where}: {len(off)} of {len(masks)} masks lie outside their boxes ({example}): give "
            "the masks in the order of the rows of the label file"
        )
    logger.warning(
        "%s: %d of %d masks lie outside their boxes (%s)", where, len(off), len(masks), example
    )


def _text(point: np.ndarray) -> str:
    return ", ".join(f"{value:.0f}" for value in point)

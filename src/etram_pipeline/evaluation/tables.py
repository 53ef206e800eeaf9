"""From the tables of one recording to boxes that count."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64, Shaped

from etram_pipeline.core.errors import LabelError, ProtocolError
from etram_pipeline.core.mask_column import MASK_COLUMN, has_masks
from etram_pipeline.core.run_lengths import check_run_lengths
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.labels.frames import LabelTables
from etram_pipeline.labels.table import LabelTable, as_label_table, column_names

Masks = Shaped[np.ndarray, " N"]
"""Array of `RunLengths`, in px of the sensor."""


@dataclass(frozen=True)
class TimedBoxes:
    """Boxes of one recording in order of time, in px of a protocol's grid.

    Attributes:
        times_us: Time of each box, in microseconds; ascending.
        boxes_xywh: Single precision, because the references compute areas in it.
        class_ids: As in the tables.
        scores: Ranking score; zeros for labels.
        masks: `RunLengths` of each box; None: the protocol needs no masks.
        rows: Row of each label in its table; None for detections.
    """

    times_us: Int64[np.ndarray, " N"]
    boxes_xywh: Float32[np.ndarray, "N 4"]
    class_ids: Int64[np.ndarray, " N"]
    scores: Float64[np.ndarray, " N"]
    masks: Masks | None = None
    rows: Int64[np.ndarray, " N"] | None = None

    def select(self, rows: Bool[np.ndarray, " N"]) -> "TimedBoxes":
        """The boxes at `rows`."""
        return TimedBoxes(
            self.times_us[rows],
            self.boxes_xywh[rows],
            self.class_ids[rows],
            self.scores[rows],
            None if self.masks is None else self.masks[rows],
            None if self.rows is None else self.rows[rows],
        )


def times_of_labels(table: LabelTable, recording: str) -> Int64[np.ndarray, " N"]:
    """Time of every label of one recording, whether or not its box counts.

    Raises:
        LabelError: If it is not a table of boxes; names the recording.
    """
    times_us: Int64[np.ndarray, " N"] = as_label_table(table, _label_table(recording))["t"].astype(
        np.int64
    )
    return times_us


def label_boxes(table: LabelTable, recording: str, protocol: Protocol) -> TimedBoxes:
    """Labels of one recording that count.

    Raises:
        LabelError: If it is not a table of boxes; names the recording.
    """
    where = _label_table(recording)
    table = as_label_table(table, where)
    return _read(table, np.zeros(len(table)), where, protocol, are_labels=True)


def detection_boxes(table: LabelTable, recording: str, protocol: Protocol) -> TimedBoxes:
    """Detections of one recording whose size and time count, at whatever moment.

    Raises:
        LabelError: If it is not a table of boxes with the score that ranks them; names the
            recording.
    """
    where = f"the detection table of {recording!r}"
    column = protocol.score_column
    found = table
    table = as_label_table(found, where)
    # A missing ranking score is an error, not a default; an empty plain array has no columns.
    if column not in column_names(found) and found.dtype.names:
        raise LabelError(
            f"{where} lacks the column {column!r}, by which protocol {protocol.name!r} ranks"
        )
    scores = table[column].astype(np.float64) if found.dtype.names else np.zeros(0)
    if not np.isfinite(scores).all():
        raise LabelError(f"{where} has a {column} that is not a number")
    return _read(table, scores, where, protocol)


def _label_table(recording: str) -> str:
    return f"the label table of {recording!r}"


def _read(
    table: LabelTable,
    scores: Float64[np.ndarray, " N"],
    where: str,
    protocol: Protocol,
    *,
    are_labels: bool = False,
) -> TimedBoxes:
    columns = [table[name] for name in ("x", "y", "w", "h")]
    boxes_xywh = np.stack(columns, axis=1).astype(np.float32)
    check_boxes(boxes_xywh, where)
    times_us, class_ids = (whole_numbers(table, name, where) for name in ("t", "class_id"))
    masks = _masks(table, where, protocol) if protocol.needs_masks else None
    order = np.argsort(times_us, kind="stable")
    boxes = TimedBoxes(
        times_us=times_us[order],
        boxes_xywh=boxes_xywh[order] * np.float32(protocol.pixel_scale),
        class_ids=class_ids[order],
        scores=scores[order],
        masks=None if masks is None else masks[order],
        rows=order.astype(np.int64) if are_labels else None,
    )
    return boxes.select(_counts(boxes, protocol))


def _masks(table: LabelTable, where: str, protocol: Protocol) -> Masks:
    if not len(table):
        return np.zeros(0, object)
    if not has_masks(table):
        raise ProtocolError(
            f"protocol {protocol.name!r} compares masks, but {where} has none: use labels and a "
            "detector that have masks, or a protocol of boxes, such as 'coco'"
        )
    masks: Masks = table[MASK_COLUMN]
    for row, mask in enumerate(masks):
        try:
            check_run_lengths(mask)
        except ValueError as error:
            raise LabelError(f"{where} has a damaged mask in row {row}: {error}") from error
    return masks


def whole_numbers(table: LabelTable, name: str, where: str) -> Int64[np.ndarray, " N"]:
    """A column of whole numbers from 0 on.

    Raises:
        LabelError: If it holds something else; names `where` and the column.
    """
    column = table[name]
    if column.dtype.kind not in "iu" or (column < 0).any():
        raise LabelError(
            f"{where} has a column {name!r} that does not hold whole numbers from 0 on"
        )
    return column.astype(np.int64)


def check_boxes(boxes_xywh: Float[np.ndarray, "N 4"], where: str) -> None:
    """Refuse boxes that are not finite or have a negative size.

    Raises:
        LabelError: Names `where` and the first such box.
    """
    wrong = ~np.isfinite(boxes_xywh).all(axis=1) | (boxes_xywh[:, 2:] < 0).any(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise LabelError(
            f"{where} has {int(wrong.sum())} boxes that are not finite or have a negative size; "
            f"the first is row {row}: x y w h = {boxes_xywh[row].tolist()}"
        )


def _counts(boxes: TimedBoxes, protocol: Protocol) -> Bool[np.ndarray, " N"]:
    sizes = boxes.boxes_xywh[:, 2:]
    diagonal_squared = sizes[:, 0] ** 2 + sizes[:, 1] ** 2
    counts: Bool[np.ndarray, " N"] = (
        (boxes.times_us > protocol.start_us)
        & (sizes >= protocol.min_side_px).all(axis=1)
        & (diagonal_squared >= protocol.min_diagonal_px**2)
    )
    return counts


def empty_moments(labels: Mapping[str, LabelTable], recording: str) -> Int64[np.ndarray, " E"]:
    """Moments of a recording that are known to show no object, in microseconds."""
    known = labels.empty_us if isinstance(labels, LabelTables) else {}
    return known.get(recording, np.zeros(0, np.int64))

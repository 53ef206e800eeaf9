"""From the tables of one recording to the boxes of its labelled tracks and of its tracks."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from etram_pipeline.core.errors import LabelError
from etram_pipeline.evaluation.tables import check_boxes, whole_numbers
from etram_pipeline.evaluation.tracks.protocol import STATES, TrackProtocol
from etram_pipeline.labels.table import LabelTable, as_label_table, column_names
from etram_pipeline.tracks.table import TrackTable

_Rows = Int64[np.ndarray, " M"] | Bool[np.ndarray, " N"]


@dataclass(frozen=True)
class TrackBoxes:
    """Boxes of the tracks of one recording, in order of time.

    Boxes of one time have the order of the table, for it decides between equally good matches.

    Attributes:
        times_us: Time of each box, in microseconds; ascending.
        boxes_xywh: Top-left corner and size, in px of the sensor.
        track_ids: As in the table.
        class_ids: As in the table, or positions among the classes that count.
        is_ignored: Of labels: whether they are ignored, see `TrackProtocol`. Of tracks: whether
            boxes are dropped if they are matched to no label.
    """

    times_us: Int64[np.ndarray, " N"]
    boxes_xywh: Float64[np.ndarray, "N 4"]
    track_ids: Int64[np.ndarray, " N"]
    class_ids: Int64[np.ndarray, " N"]
    is_ignored: Bool[np.ndarray, " N"]

    def __len__(self) -> int:
        return len(self.times_us)

    def take(self, rows: _Rows) -> "TrackBoxes":
        """The boxes at `rows`, in that order."""
        return TrackBoxes(
            self.times_us[rows],
            self.boxes_xywh[rows],
            self.track_ids[rows],
            self.class_ids[rows],
            self.is_ignored[rows],
        )

    def mapped(self, index_of_id: Int64[np.ndarray, " I"]) -> "TrackBoxes":
        """The boxes whose class counts, with its position for an id."""
        indices = index_of_id[self.class_ids]
        return replace(self, class_ids=indices).take(indices >= 0)

    @property
    def sizes(self) -> Float64[np.ndarray, " N"]:
        """Square root of the area of each box, in px."""
        sizes: Float64[np.ndarray, " N"] = np.sqrt(self.boxes_xywh[:, 2:].prod(axis=1))
        return sizes

    @property
    def centres(self) -> Float64[np.ndarray, "N 2"]:
        """Centre of each box, in px."""
        centres: Float64[np.ndarray, "N 2"] = self.boxes_xywh[:, :2] + self.boxes_xywh[:, 2:] / 2
        return centres

    @property
    def ground_points(self) -> Float64[np.ndarray, "N 2"]:
        """Middle of the lower edge of each box."""
        x, y, width, height = self.boxes_xywh.T
        return np.stack([x + width / 2, y + height], axis=1)


def labelled_boxes(table: LabelTable, recording: str, protocol: TrackProtocol) -> TrackBoxes:
    """Boxes of the labelled tracks of one recording.

    Raises:
        LabelError: If it is not a table of tracks; names the recording.
    """
    where = f"the label table of {recording!r}"
    return _read(_as_table(table, where), where, "class_id", protocol)


def tracked_boxes(table: TrackTable, recording: str, protocol: TrackProtocol) -> TrackBoxes:
    """Boxes of the tracks of one recording whose state counts.

    Raises:
        LabelError: If it is not a table of tracks; names the recording.
    """
    where = f"the track table of {recording!r}"
    column = {"whole": "class_id", "moment": "detected_class_id"}[protocol.track_class]
    found = _as_table(table, where)
    if len(found) and column not in column_names(found):
        raise LabelError(
            f"{where} lacks the column {column!r}, by which protocol {protocol.name!r} tells "
            "classes; use a protocol with `track_class: whole`"
        )
    boxes = _read(found, where, column if len(found) else "class_id", protocol)
    if "state" not in column_names(found):  # tables of other programs hold detected boxes
        return boxes if "seen" in protocol.states else boxes.take(np.zeros(len(boxes), bool))
    states = found["state"][_in_order(found, protocol)]
    counted = [number for number, name in enumerate(STATES) if name in protocol.states]
    return boxes.take(np.isin(states, counted))


def _as_table(table: LabelTable, where: str) -> LabelTable:
    found = as_label_table(table, where)
    if len(found) and "track_id" not in column_names(table):
        raise LabelError(
            f"{where} lacks the column 'track_id': without it nothing tells which boxes are the "
            "same road user, and tracks cannot be scored"
        )
    return found


def _read(table: LabelTable, where: str, class_column: str, protocol: TrackProtocol) -> TrackBoxes:
    boxes_xywh = np.stack([table[name] for name in ("x", "y", "w", "h")], axis=1).astype(np.float64)
    check_boxes(boxes_xywh, where)
    times_us, track_ids, class_ids = (
        whole_numbers(table, name, where) for name in ("t", "track_id", class_column)
    )
    boxes = TrackBoxes(times_us, boxes_xywh, track_ids, class_ids, np.zeros(len(table), bool))
    boxes = boxes.take(_in_order(table, protocol))
    _check_unique(boxes, where)
    return boxes


def _in_order(table: LabelTable, protocol: TrackProtocol) -> Int64[np.ndarray, " M"]:
    """Rows later than the protocol's start, in order of time."""
    times_us = table["t"].astype(np.int64)
    order = np.argsort(times_us, kind="stable")
    return order[times_us[order] > protocol.start_us]


def _check_unique(boxes: TrackBoxes, where: str) -> None:
    order = np.lexsort((boxes.track_ids, boxes.times_us))
    times_us, track_ids = boxes.times_us[order], boxes.track_ids[order]
    is_double = (times_us[1:] == times_us[:-1]) & (track_ids[1:] == track_ids[:-1])
    if is_double.any():
        first = int(np.argmax(is_double))
        raise LabelError(
            f"{where} has two boxes of track {track_ids[first]} at {times_us[first]} us, but a "
            "road user is in one place at a time: remove one, or give it another track_id"
        )

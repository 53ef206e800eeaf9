"""What a viewer had at each moment: boxes arrive late, and windows are left out meanwhile.

Source: Li, Wang and Ramanan, "Towards Streaming Perception", ECCV 2020, section 3.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation.matching import concatenated_ranges
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.tables import empty_moments, times_of_labels, whole_numbers
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.table import LabelTable, as_label_table, column_names

_NONE = -1

SearchedTimes = Mapping[str, Int64[np.ndarray, " W"]]
"""Ends of all windows in which a detector looked for road users, in microseconds, ascending; by
recording. Windows without detections are among them."""


@dataclass(frozen=True)
class Schedule:
    """The windows of one recording that a single processor computes.

    Attributes:
        windows_us: Ends of these windows, in microseconds; ascending.
        finished_us: When the boxes of each are known; ascending.
    """

    windows_us: Int64[np.ndarray, " C"]
    finished_us: Int64[np.ndarray, " C"]

    @classmethod
    def of(cls, searched_us: Int64[np.ndarray, " W"], latencies_us: Iterable[int]) -> "Schedule":
        """What a processor computes that always takes the newest window as soon as it is free.

        Windows that ended before the newest one are left out, as a live stream does with
        `when_slow="newest"`.

        Args:
            searched_us: Ends of all windows; ascending.
            latencies_us: Time that each computation takes, one after the other; they are repeated
                when they are used up.
        """
        stops = searched_us.tolist()
        windows, finished = [], []
        latency_of_turn, free_us, waiting = cycle(latencies_us), 0, 0
        while waiting < len(stops):
            newest = max(bisect_right(stops, free_us) - 1, waiting)
            free_us = max(free_us, stops[newest]) + next(latency_of_turn)
            windows.append(stops[newest])
            finished.append(free_us)
            waiting = newest + 1
        return cls(np.array(windows, np.int64), np.array(finished, np.int64))

    def known_at(self, times_us: Int64[np.ndarray, " T"]) -> Int64[np.ndarray, " T"]:
        """End of the newest window whose boxes are known at each time; -1 before the first."""
        number = np.searchsorted(self.finished_us, times_us, side="right") - 1
        ends: Int64[np.ndarray, " T"] = np.append(self.windows_us, _NONE)[number]
        return ends


def as_seen(
    labels: Mapping[str, LabelTable],
    detections: Mapping[str, DetectionTable],
    protocol: Protocol,
    searched_us: SearchedTimes | None,
) -> Mapping[str, DetectionTable]:
    """The detections that a viewer had at each labelled moment, with the time of that moment.

    Args:
        labels: Tables of labels by recording.
        detections: All detections of the same recordings.
        protocol: Gives the latency; without one, `detections` are returned.
        searched_us: Ends of all windows of each recording.

    Raises:
        ProtocolError: If the protocol has a latency, but `searched_us` is missing or lacks a
            recording.
        LabelError: If a table is not one of boxes.
        ValueError: If something was detected at a time at which no window ends.
    """
    if protocol.latency_ms is None:
        return detections
    missing = sorted(set(labels) - set(searched_us or {}))
    if searched_us is None or missing:
        raise ProtocolError(
            f"protocol {protocol.name!r} scores what a viewer had at each moment and needs the "
            f"ends of all windows of {', '.join(missing[:5])}: pass searched_us=, or leave "
            "latency_ms out"
        )
    return {
        recording: _seen(
            np.union1d(times_of_labels(table, recording), empty_moments(labels, recording)),
            detections[recording],
            searched_us[recording],
            protocol,
            recording,
        )
        for recording, table in labels.items()
    }


def _seen(
    moments_us: Int64[np.ndarray, " M"],
    detections: DetectionTable,
    ends_us: Int64[np.ndarray, " W"],
    protocol: Protocol,
    recording: str,
) -> DetectionTable:
    where = f"the detection table of {recording!r}"
    times_us = whole_numbers(as_label_table(detections, where), "t", where)
    _check_ends(ends_us, times_us, recording)
    known_us = Schedule.of(ends_us, protocol.latencies_us).known_at(moments_us)
    order = np.argsort(times_us, kind="stable")
    first, stop = (np.searchsorted(times_us, known_us, side, order) for side in ("left", "right"))
    rows = order[concatenated_ranges(first, stop - first)]
    return _moved(detections, rows, np.repeat(moments_us, stop - first))


def _check_ends(
    ends_us: Int64[np.ndarray, " W"], times_us: Int64[np.ndarray, " D"], recording: str
) -> None:
    if (np.diff(ends_us) <= 0).any():
        raise ValueError(f"the ends of the windows of {recording!r} do not ascend")
    elsewhere = ~np.isin(times_us, ends_us)
    if elsewhere.any():
        raise ValueError(
            f"{int(elsewhere.sum())} of {len(times_us)} detections of {recording!r} are at times "
            f"at which no window ends, the first at {int(times_us[elsewhere][0])} us: searched_us "
            "must hold the end of every window"
        )


def _moved(
    table: DetectionTable, rows: Int64[np.ndarray, " N"], times_us: Int64[np.ndarray, " N"]
) -> DetectionTable:
    """Rows of a table, with other times."""
    table = table.reshape(-1)
    fields = table.dtype.names
    if fields is None:  # an array without boxes
        return table
    time_field = fields[column_names(table).index("t")]
    types = [(name, np.int64 if name == time_field else table.dtype[name]) for name in fields]
    moved = np.empty(len(rows), np.dtype(types))
    for name in fields:
        moved[name] = times_us if name == time_field else table[name][rows]
    return moved

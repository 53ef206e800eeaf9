"""Crossings of several recordings side by side, each true one with the counted one that it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from etram_pipeline.evaluation.counts.pairing import near_in_time, pair
from etram_pipeline.traffic.crossings import Crossings as CrossingTable

Flow = tuple[str, str]
"""A line and a direction."""

_NOBODY = -1


@dataclass(frozen=True)
class Crossings:
    """Crossings of all recordings, one after another.

    Attributes:
        recording: Position of the recording.
        t_us: Time, in microseconds.
        flow: Position of line and direction.
        class_id: Class.
        place: Column and row, in px.
        height: Height of the box, in px.
        partner_class: Class of the crossing on the other side that is the same event; -1 without
            any.
    """

    recording: Int64[np.ndarray, " N"]
    t_us: Int64[np.ndarray, " N"]
    flow: Int64[np.ndarray, " N"]
    class_id: Int64[np.ndarray, " N"]
    place: Float64[np.ndarray, "N 2"]
    height: Float64[np.ndarray, " N"]
    partner_class: Int64[np.ndarray, " N"]

    def __len__(self) -> int:
        return len(self.t_us)

    @property
    def is_paired(self) -> Bool[np.ndarray, " N"]:
        """Whether the other side has the same event."""
        is_paired: Bool[np.ndarray, " N"] = self.partner_class != _NOBODY
        return is_paired

    @property
    def is_same_class(self) -> Bool[np.ndarray, " N"]:
        """Whether the other side has the same event with the same class."""
        is_same_class: Bool[np.ndarray, " N"] = self.partner_class == self.class_id
        return is_same_class

    def among(self, chosen: Bool[np.ndarray, " N"] | Int64[np.ndarray, " M"]) -> "Crossings":
        """Some of them, by a mask or by their positions."""
        return Crossings(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True)
class Compared:
    """True and counted crossings.

    Attributes:
        flows: Lines and directions that occur, in order of their names.
        true: True crossings.
        counted: Counted crossings.
    """

    flows: Sequence[Flow]
    true: Crossings
    counted: Crossings

    def among_flows(self, positions: Sequence[int]) -> "Compared":
        """Those of some lines and directions."""
        return self._among(*(np.isin(side.flow, positions) for side in (self.true, self.counted)))

    def among_recordings(self, positions: Sequence[int]) -> "Compared":
        """Those of some recordings."""
        sides = self.true, self.counted
        return self._among(*(np.isin(side.recording, positions) for side in sides))

    def of_class(self, class_id: int) -> "Compared":
        """Those that are, or were counted, as a class."""
        return self._among(*(side.class_id == class_id for side in (self.true, self.counted)))

    def _among(self, true: Bool[np.ndarray, " N"], counted: Bool[np.ndarray, " M"]) -> "Compared":
        return Compared(self.flows, self.true.among(true), self.counted.among(counted))


def pair_crossings(
    true: Mapping[str, CrossingTable], counted: Mapping[str, CrossingTable], within_us: int
) -> Compared:
    """Find the counted crossing of each true one: same recording, line and direction.

    As many as possible are found; of several ways to find them, the one with the smallest
    distances in time and place is taken.

    Args:
        true: True crossings by recording; at least one recording.
        counted: Counted crossings of the same recordings.
        within_us: Longest time between the two, in microseconds.
    """
    tables = [*true.values(), *counted.values()]
    flows = sorted({flow for table in tables for flow in _flows_of(table)})
    position = {flow: index for index, flow in enumerate(flows)}
    sides: tuple[list[Crossings], list[Crossings]] = [], []
    for index, key in enumerate(true):
        one, other = (_as_columns(table[key], index, position) for table in (true, counted))
        for side, found in zip(sides, _with_partners(one, other, within_us), strict=True):
            side.append(found)
    return Compared(flows, *(_joined(side) for side in sides))


def _flows_of(table: CrossingTable) -> set[Flow]:
    return set(zip(table["line"].tolist(), table["direction"].tolist(), strict=True))


def _as_columns(table: CrossingTable, recording: int, position: Mapping[Flow, int]) -> Crossings:
    table = table[np.argsort(table["t"], kind="stable")]
    flows = zip(table["line"].tolist(), table["direction"].tolist(), strict=True)
    return Crossings(
        recording=np.full(len(table), recording, np.int64),
        t_us=table["t"].astype(np.int64),
        flow=np.array([position[flow] for flow in flows], np.int64),
        class_id=table["class_id"].astype(np.int64),
        place=np.column_stack([table["x"], table["y"]]).astype(np.float64),
        height=table["height_px"].astype(np.float64),
        partner_class=np.full(len(table), _NOBODY, np.int64),
    )


def _with_partners(
    true: Crossings, counted: Crossings, within_us: int
) -> tuple[Crossings, Crossings]:
    of_true, of_counted = true.partner_class.copy(), counted.partner_class.copy()
    for flow in np.unique(true.flow):
        here, there = np.flatnonzero(true.flow == flow), np.flatnonzero(counted.flow == flow)
        rows, columns = near_in_time(true.t_us[here], counted.t_us[there], within_us)
        costs = _distances(true.among(here[rows]), counted.among(there[columns]), within_us)
        rows, columns = pair(rows, columns, costs, len(here))
        of_true[here[rows]] = counted.class_id[there[columns]]
        of_counted[there[columns]] = true.class_id[here[rows]]
    return replace(true, partner_class=of_true), replace(counted, partner_class=of_counted)


def _distances(true: Crossings, counted: Crossings, within_us: int) -> Float64[np.ndarray, " P"]:
    """How far crossings lie apart, in shares of the longest time and in heights of a box.

    Those who pass side by side at the same time are told apart by their places.
    """
    apart = np.hypot(*(true.place - counted.place).T) / np.maximum(true.height, 1)
    distances: Float64[np.ndarray, " P"] = np.abs(
        true.t_us - counted.t_us
    ) / within_us + np.minimum(apart, 1)
    return distances


def _joined(parts: Sequence[Crossings]) -> Crossings:
    columns = (
        np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Crossings)
    )
    return Crossings(*columns)

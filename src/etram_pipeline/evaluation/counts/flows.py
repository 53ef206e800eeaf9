"""Crossings of several recordings side by side, each true one with the counted one that it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Int64

from etram_pipeline.evaluation.counts.pairing import pair_times

CrossingTable = npt.NDArray[Any]
"""Structured array with the columns `t`, `line`, `direction` and `class_id`, in order of time."""

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
        partner_class: Class of the crossing on the other side that is the same event; -1 without
            any.
    """

    recording: Int64[np.ndarray, " N"]
    t_us: Int64[np.ndarray, " N"]
    flow: Int64[np.ndarray, " N"]
    class_id: Int64[np.ndarray, " N"]
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

    def among(self, chosen: Bool[np.ndarray, " N"]) -> "Crossings":
        """Some of them."""
        return Crossings(
            self.recording[chosen],
            self.t_us[chosen],
            self.flow[chosen],
            self.class_id[chosen],
            self.partner_class[chosen],
        )


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

    Args:
        true: True crossings by recording.
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
        partner_class=np.full(len(table), _NOBODY, np.int64),
    )


def _with_partners(
    true: Crossings, counted: Crossings, within_us: int
) -> tuple[Crossings, Crossings]:
    of_true, of_counted = true.partner_class.copy(), counted.partner_class.copy()
    for flow in np.unique(true.flow):
        here, there = np.flatnonzero(true.flow == flow), np.flatnonzero(counted.flow == flow)
        rows, columns = pair_times(true.t_us[here], counted.t_us[there], within_us)
        of_true[here[rows]] = counted.class_id[there[columns]]
        of_counted[there[columns]] = true.class_id[here[rows]]
    return replace(true, partner_class=of_true), replace(counted, partner_class=of_counted)


def _joined(parts: Sequence[Crossings]) -> Crossings:
    def column(name: str) -> Int64[np.ndarray, " N"]:
        return np.concatenate([np.zeros(0, np.int64), *(getattr(part, name) for part in parts)])

    return Crossings(*(column(field.name) for field in fields(Crossings)))

"""Tells a clock that begins anew from single wrong times."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from etram_pipeline.events.formats.cleaning import Columns

CONFIRM_US = 10_000
"""Span of events that agree on another time, from which this is the time, in microseconds."""

CONFIRM_EVENTS = 10_000
"""Number of events that agree on another time, from which this is the time."""

_NO_RIVAL = 0, -1
_FOREVER_US = 2**63 - 1

Stretch = tuple[Columns, bool]
"""Events of one clock, and whether it begins with them."""


@dataclass
class _Hand:
    """Where a clock stands.

    Attributes:
        latest_us: Its latest time.
        offset_us: What is added to the times of the sensor, whose 32 bits were too few.
    """

    latest_us: int
    offset_us: int = 0

    @property
    def as_tuple(self) -> tuple[int, int]:
        return self.latest_us, self.offset_us


@dataclass
class _Candidate(_Hand):
    """Events far from the clock that agree among each other; perhaps a new clock."""

    first_us: int = 0
    num_events: int = 0
    stretches: list[Columns] = field(default_factory=list)

    def joined(self) -> Columns:
        """All its events."""
        columns = zip(*((s.x, s.y, s.t_us, s.polarity) for s in self.stretches), strict=True)
        return Columns(*(np.concatenate(parts) for parts in columns))


class Clock:
    """Passes on the events whose times follow each other, and leaves out wild ones.

    An event is wild if it is further than a limit from the latest time, before or after. If the
    events that follow agree with it, for `CONFIRM_US` or `CONFIRM_EVENTS`, they are not wild: a new
    clock began, or nothing came for longer than the limit. Until this is known they are kept back.
    The size of chunks has no influence.

    Args:
        jump_us: The limit, in microseconds; None trusts all times.

    Attributes:
        num_wild: Events that were left out.
    """

    def __init__(self, jump_us: int | None) -> None:
        self._jump_us = jump_us
        self._hand: _Hand | None = None
        self._candidate: _Candidate | None = None
        self.num_wild = 0

    @property
    def is_running(self) -> bool:
        """Whether the time is known."""
        return self._hand is not None

    def push(self, columns: Columns, *, wraps: bool = False) -> Iterator[Stretch]:
        """The next events, as far as it is known to which clock they belong.

        Args:
            columns: Events in the order in which they came; times are continued in place.
            wraps: Whether times have 32 bits, so that the clock begins anew after 72 minutes
                without being another one.
        """
        if self._jump_us is None:
            yield columns, self._hand is None
            self._hand = self._hand or _Hand(0)
            return
        place, limits = 0, (self._jump_us, wraps)
        while place < len(columns.t_us):
            rest = columns.slice(place, len(columns.t_us))
            if self._candidate is None and self._hand is not None:
                number = self._follow(rest, self._hand, None, limits, (_FOREVER_US, len(rest.t_us)))
                if number:
                    yield rest.slice(0, number), False
            else:
                number = 0
            if not number:
                number = self._suspect(rest, limits)
                yield from self._confirmed()
            place += number

    def confirm(self, until_us: int) -> Iterator[Stretch]:
        """Events kept back that agree with a time that the source told."""
        candidate = self._candidate
        is_ours = self._hand is not None and self._is_near(self._hand, until_us)
        if candidate is not None and not is_ours and self._is_near(candidate, until_us):
            yield self._accept(candidate)

    def advance(self, until_us: int) -> None:
        """No event before a time will come any more."""
        if self._hand is not None:
            self._hand.latest_us = max(self._hand.latest_us, until_us)

    def is_far(self, until_us: int) -> bool:
        """Whether a time is that of another clock, or after too long a silence."""
        return self._hand is not None and not self._is_near(self._hand, until_us)

    def stop(self) -> Iterator[Stretch]:
        """Events kept back that are the only ones there are; the time is unknown afterwards."""
        candidate = self._candidate
        if candidate is not None and self._hand is None:
            yield self._accept(candidate)
        self._drop()
        self._hand = None

    def _suspect(self, rest: Columns, limits: tuple[int, bool]) -> int:
        """Add events to the candidate, or see that it was wild; returns how many were taken."""
        candidate = self._candidate or self._new_candidate(rest)
        self._candidate = candidate
        target = candidate.first_us + CONFIRM_US, CONFIRM_EVENTS - candidate.num_events
        number = self._follow(rest, candidate, self._hand, limits, target)
        if number == 0:
            self._drop()
        else:
            candidate.num_events += number
            candidate.stretches.append(_copied(rest.slice(0, number)))
        return number

    def _confirmed(self) -> Iterator[Stretch]:
        candidate = self._candidate
        if candidate is not None and (
            candidate.latest_us - candidate.first_us >= CONFIRM_US
            or candidate.num_events >= CONFIRM_EVENTS
        ):
            yield self._accept(candidate)

    def _accept(self, candidate: _Candidate) -> Stretch:
        self._hand = _Hand(candidate.latest_us, candidate.offset_us)
        self._candidate = None
        return candidate.joined(), True

    def _drop(self) -> None:
        if self._candidate is not None:
            self.num_wild += self._candidate.num_events
            self._candidate = None

    def _new_candidate(self, rest: Columns) -> _Candidate:
        first_us = int(rest.t_us[0])
        return _Candidate(first_us, first_us=first_us)

    def _follow(
        self,
        rest: Columns,
        hand: _Hand,
        rival: _Hand | None,
        limits: tuple[int, bool],
        target: tuple[int, int],
    ) -> int:
        # Numba takes a second to import.
        from etram_pipeline.streaming.clock_kernels import follow

        number, hand.latest_us, hand.offset_us = follow(
            rest.t_us,
            hand.as_tuple,
            _NO_RIVAL if rival is None else rival.as_tuple,
            limits,
            target,
        )
        return int(number)

    def _is_near(self, hand: _Hand, time_us: int) -> bool:
        return self._jump_us is None or abs(time_us - hand.latest_us) <= self._jump_us


def _copied(columns: Columns) -> Columns:
    """The same events in memory that the source cannot use again."""
    return Columns(columns.x.copy(), columns.y.copy(), columns.t_us, columns.polarity.copy())

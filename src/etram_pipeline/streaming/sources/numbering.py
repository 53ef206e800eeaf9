"""Which packets were lost, judged by their numbers."""

from etram_pipeline.streaming.sources import SourceCounts
from etram_pipeline.streaming.sources.wire import NUM_NUMBERS

_MOST_MISSING = 4096


class Numbering:
    """Follows the numbers of the packets of one sender.

    Args:
        counts: Counts packets passed on, lost, reordered, repeated and foreign.

    Attributes:
        is_new_session: Whether the last accepted packet was the first of another session.
    """

    def __init__(self, counts: SourceCounts) -> None:
        self._counts = counts
        self._session: int | None = None
        self._next = 0
        self._missing: dict[int, None] = {}
        self.is_new_session = False

    def accept(self, session: int, number: int, *, may_change: bool) -> bool:
        """Whether a packet is to be passed on.

        Args:
            session: Session that it is of.
            number: Its number.
            may_change: Whether another session may take over.
        """
        self.is_new_session = False
        if session != self._session:
            if self._session is not None and not may_change:
                self._counts.foreign += 1
                return False
            self._begin(session, number)
        ahead = (number - self._next) % NUM_NUMBERS
        if ahead < NUM_NUMBERS // 2:
            self._note_missing(ahead)
            self._next = (number + 1) % NUM_NUMBERS
        elif number in self._missing:
            del self._missing[number]
            self._counts.lost -= 1
            self._counts.reordered += 1
        else:
            self._counts.repeated += 1
            return False
        self._counts.packets += 1
        return True

    def _begin(self, session: int, number: int) -> None:
        self.is_new_session = self._session is not None
        self._counts.reconnects += self.is_new_session
        self._session, self._next = session, number
        self._missing.clear()

    def _note_missing(self, number: int) -> None:
        self._counts.lost += number
        for step in range(max(0, number - _MOST_MISSING), number):
            self._missing[(self._next + step) % NUM_NUMBERS] = None
        while len(self._missing) > _MOST_MISSING:
            del self._missing[next(iter(self._missing))]

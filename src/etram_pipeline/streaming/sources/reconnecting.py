"""A camera that disappears and comes back."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import fields
from threading import Event

from typing_extensions import override

from etram_pipeline.core.errors import SourceError
from etram_pipeline.streaming.chunks import NEW_CLOCK, Chunk
from etram_pipeline.streaming.sources import Source, SourceCounts

logger = logging.getLogger(__name__)

_FAILURES = (SourceError, OSError, RuntimeError)


class ReconnectingSource(Source):
    """Opens a source again when it fails, and tells that a new clock begins.

    Meanwhile nothing comes. With heartbeats, `LiveStream` tells held boxes for a while, then none.

    Args:
        open_source: Opens the source; raises if this is not possible now.
        first_wait_s: Time before the first attempt to open it again, in seconds; it doubles with
            each attempt that fails.
        longest_wait_s: The longest time between two attempts.
        most_attempts: Attempts in a row after which it is given up; None: never.

    Raises:
        ValueError: If a time is not positive.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        *,
        first_wait_s: float = 0.5,
        longest_wait_s: float = 30.0,
        most_attempts: int | None = None,
    ) -> None:
        if not 0 < first_wait_s <= longest_wait_s:
            raise ValueError(
                "first_wait_s must be positive and at most longest_wait_s; "
                f"got {first_wait_s} and {longest_wait_s}"
            )
        self._open_source, self._most_attempts = open_source, most_attempts
        self._waits = first_wait_s, longest_wait_s
        self._source: Source | None = None
        self._size: tuple[int, int] | None = None
        self._closed = Event()
        self._before = SourceCounts()
        self._num_failures = 0

    @property
    @override
    def size(self) -> tuple[int, int]:
        if self._size is None:
            self._opened()
        if self._size is None:
            raise SourceError("the source was closed before it could be opened")
        return self._size

    @property
    def counts(self) -> SourceCounts:  # type: ignore[override]
        """What all sources together received, and how often one was opened again."""
        now = SourceCounts() if self._source is None else self._source.counts
        return _sum(self._before, now)

    @override
    def __iter__(self) -> Iterator[Chunk]:
        is_again = False
        while (source := self._opened()) is not None:
            try:
                for chunk in source:
                    if is_again:
                        yield NEW_CLOCK
                        self._before.reconnects += 1
                    is_again, self._num_failures = False, 0
                    yield chunk
            except _FAILURES as error:
                source.close()
                self._before, self._source = self.counts, None
                is_again = True
                self._failed(error)
            else:
                return

    @override
    def close(self) -> None:
        self._closed.set()
        if self._source is not None:
            self._source.close()

    def _opened(self) -> Source | None:
        """The source that is open, or the next one that can be opened; None if closed."""
        while self._source is None and not self._closed.is_set():
            try:
                source = self._open_source()
                self._check_size(source.size)
                self._source = source
                # It may have been closed while the source was being opened.
                if self._closed.is_set():
                    source.close()
            except _FAILURES as error:
                self._failed(error)
        return None if self._closed.is_set() else self._source

    def _failed(self, error: Exception) -> None:
        """Wait before the next attempt, or give up."""
        self._num_failures += 1
        if self._most_attempts is not None and self._num_failures > self._most_attempts:
            raise error
        first_s, longest_s = self._waits
        wait_s = min(longest_s, first_s * 2.0 ** min(self._num_failures - 1, 60))
        logger.warning("%s; the next attempt follows in %.3g s", error, wait_s)
        self._closed.wait(wait_s)

    def _check_size(self, size: tuple[int, int]) -> None:
        if self._size is not None and size != self._size:
            raise SourceError(
                f"a camera of {size[0]} x {size[1]} px came back instead of one of "
                f"{self._size[0]} x {self._size[1]} px: connect the former one again"
            )
        self._size = size


def _sum(one: SourceCounts, other: SourceCounts) -> SourceCounts:
    names = [field.name for field in fields(SourceCounts)]
    return SourceCounts(*(getattr(one, name) + getattr(other, name) for name in names))

"""The thread of a live stream that reads the source, cuts windows and draws them."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from threading import Lock

from etram_pipeline.streaming.chunks import Chunk
from etram_pipeline.streaming.cutter import CutWindow, WindowCutter
from etram_pipeline.streaming.handover import Handed, Handover


class Reader:
    """Cuts the windows of a source and hands them over.

    Args:
        cutter: Cuts the windows.
        handover: Takes them.
        clock: Time in seconds.
    """

    def __init__(
        self, cutter: WindowCutter, handover: Handover, clock: Callable[[], float]
    ) -> None:
        self._cutter, self._handover, self._clock = cutter, handover, clock
        self._cutting = Lock()
        self._arrivals: deque[tuple[tuple[int, int], float]] = deque()  # of the times of each clock
        self._heard: tuple[int, float] | None = None

    def read(self, source: Iterable[Chunk]) -> None:
        """Read a source to its end, or until no window is wanted; what it raises is handed over."""
        error: BaseException | None = None
        chunks = iter(source)
        try:
            for chunk in chunks:
                if not self._pass_on(chunk):
                    break
            else:
                with self._cutting:
                    self._put_all(self._cutter.finish(), self._clock())
        except BaseException as raised:  # noqa: BLE001  # raised again where results are read
            error = raised
        finally:
            if isinstance(chunks, Generator):
                chunks.close()
            self._handover.end(error)

    def beat(self, behind_s: float) -> bool:
        """Let the time of a silent source go on as the computer's does, by one window at most.

        Args:
            behind_s: How far the time stays behind, so that chunks may come this late.

        Returns:
            Whether a window ended.
        """
        if not self._cutting.acquire(blocking=False):
            return False  # a chunk is just being read
        try:
            now_s, next_us = self._clock(), self._cutter.next_us
            if self._heard is None or next_us is None:
                return False
            heard_us, heard_s = self._heard
            until_us = heard_us + int(1e6 * (now_s - heard_s - behind_s))
            if until_us <= next_us:
                return False
            for window in self._cutter.advance(next_us + 1):
                self._handover.insert(Handed(window, now_s, self._clock()))
        finally:
            self._cutting.release()
        return True

    def _pass_on(self, chunk: Chunk) -> bool:
        with self._cutting:
            arrived_s = self._clock()
            is_wanted = self._put_all(self._cutter.push(chunk), arrived_s)
            latest_us = self._cutter.latest_us
            self._heard = None if latest_us is None else (latest_us, arrived_s)
            if latest_us is not None:
                time = self._cutter.counts.num_restarts, latest_us
                if not self._arrivals or self._arrivals[-1][0] < time:
                    self._arrivals.append((time, arrived_s))
        return is_wanted and not self._handover.is_stopped

    def _put_all(self, windows: Iterator[CutWindow], arrived_s: float) -> bool:
        for window in windows:
            complete_s = self._completed(window, arrived_s)
            if not self._handover.put(Handed(window, complete_s, self._clock())):
                return False
        return True

    def _completed(self, window: CutWindow, arrived_s: float) -> float:
        """When the last event of a window was handed over, in seconds."""
        is_silent = window.is_silent or window.last_us is None
        # The last event of a window to come is later than the end of a silent one.
        time = self._cutter.counts.num_restarts, window.stop_us if is_silent else window.last_us
        while self._arrivals and self._arrivals[0][0] < time:
            self._arrivals.popleft()
        return self._arrivals[0][1] if self._arrivals and not is_silent else arrived_s

"""Cameras and files of Prophesee, by the Metavision SDK or OpenEB.

Neither is on PyPI, and none of their versions was tried with a camera.
"""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from threading import Event
from typing import Any

from typing_extensions import override

from etram_pipeline.core.errors import SourceError
from etram_pipeline.streaming.chunks import Chunk
from etram_pipeline.streaming.sources import Source, SourceCounts

SLICE_US = 10_000
"""Time between two chunks, in microseconds."""


class MetavisionSource(Source):
    """Events of `metavision_core.event_io.EventsIterator`; can be read once.

    Args:
        camera: Serial number of a camera, or a file; empty: the first camera that is found.
        slice_us: Time between two chunks, in microseconds.

    Raises:
        SourceError: If the package is not installed, or there is no such camera.
    """

    def __init__(self, camera: str = "", *, slice_us: int = SLICE_US) -> None:
        self.counts = SourceCounts()
        self._camera, self._closed = camera, Event()
        self._name = f"camera {camera}" if camera else "the camera"
        try:
            package = import_module("metavision_core.event_io")
        except ImportError as error:
            raise SourceError(
                f"a camera of Prophesee needs metavision_core ({error}), which is not on PyPI: "
                "install OpenEB (https://github.com/prophesee-ai/openeb) or the Metavision SDK for "
                "this Python"
            ) from error
        try:
            self._events: Any = package.EventsIterator(camera, mode="delta_t", delta_t=slice_us)
        except (OSError, RuntimeError, ValueError) as error:
            raise SourceError(
                f"{self._name} cannot be opened ({error}): check that it is connected, and not "
                "used by another program"
            ) from error
        height, width = self._events.get_size()
        if not height or not width:
            raise SourceError(
                f"{self._name} does not tell the size of its sensor: use a file or camera that does"
            )
        self._size: tuple[int, int] = (height, width)

    @property
    @override
    def size(self) -> tuple[int, int]:
        return self._size

    @override
    def __iter__(self) -> Iterator[Chunk]:
        iterator, self._events = self._events, None  # so that the camera is free afterwards
        for events in iterator:
            if self._closed.is_set():
                return
            self.counts.packets += 1
            yield events if len(events) else int(iterator.get_current_time())
        if not self._closed.is_set() and not Path(self._camera).is_file():
            raise SourceError(f"{self._name} has gone: check cable and power")

    @override
    def close(self) -> None:
        self._closed.set()

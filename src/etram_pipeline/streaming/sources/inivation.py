"""Cameras of iniVation, by their package `dv-processing`; tried without a camera."""

from collections.abc import Iterator
from importlib import import_module
from threading import Event
from types import ModuleType
from typing import Any

from typing_extensions import override

from etram_pipeline.core.errors import SourceError
from etram_pipeline.streaming.chunks import Chunk
from etram_pipeline.streaming.sources import Source, SourceCounts

_POLL_S = 0.001


class InivationSource(Source):
    """Events of a camera, or of another program that sends those of one; can be read once.

    Args:
        camera: Serial number of the camera; empty: the first one that is found.
        sender: Address and port of a program that sends events as dv-processing does, such as DV;
            None: a camera at this computer.

    Raises:
        SourceError: If the package is not installed, or there is no such camera or sender.
    """

    def __init__(self, camera: str = "", *, sender: tuple[str, int] | None = None) -> None:
        self.counts = SourceCounts()
        self._closed = Event()
        self._name = f"{sender[0]}:{sender[1]}" if sender else f"camera {camera}".strip()
        package = _package()
        try:
            if sender is not None:
                self._input: Any = package.io.NetworkReader(*sender)
            elif camera:
                self._input = package.io.camera.open(camera)
            else:
                self._input = package.io.camera.open()
        except (OSError, RuntimeError, LookupError, ValueError) as error:
            raise SourceError(
                f"{self._name} cannot be opened ({error}): check that it is connected, and not "
                "used by another program"
            ) from error
        resolution = self._input.getEventResolution()
        if resolution is None:
            raise SourceError(f"{self._name} has no events: use an event camera")
        width, height = resolution
        self._size: tuple[int, int] = (height, width)

    @property
    @override
    def size(self) -> tuple[int, int]:
        return self._size

    @override
    def __iter__(self) -> Iterator[Chunk]:
        camera, self._input = self._input, None  # so that the camera is free afterwards
        while not self._closed.is_set():
            is_running = camera.isRunning()
            batch = camera.getNextEventBatch()
            if batch is not None:
                self.counts.packets += 1
                yield batch.numpy()
            elif not is_running:
                raise SourceError(f"{self._name} has gone: check cable and power")
            else:
                self._closed.wait(_POLL_S)

    @override
    def close(self) -> None:
        self._closed.set()


def _package() -> ModuleType:
    try:
        return import_module("dv_processing")
    except ImportError as error:
        raise SourceError(
            f"a camera of iniVation needs dv_processing ({error}): pip install dv-processing"
        ) from error

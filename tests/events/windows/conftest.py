"""Recordings of which nothing but their span matters."""

from collections.abc import Iterator

from typing_extensions import override

from etram_pipeline.core.recording import Events, Recording


class SpanRecording(Recording):
    """A recording that lasts from one time to another."""

    def __init__(self, start_us: int, stop_us: int) -> None:
        self._span_us = start_us, stop_us

    @property
    @override
    def num_events(self) -> int:
        return 2

    @property
    @override
    def start_us(self) -> int:
        return self._span_us[0]

    @property
    @override
    def stop_us(self) -> int:
        return self._span_us[1]

    @override
    def read(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Events]:
        raise NotImplementedError("planning windows reads no events")

"""A recording whose events are changed while they are read."""

from collections.abc import Iterator

from typing_extensions import override

from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.changes import EventChange


class ChangedRecording(Recording):
    """A recording as it is after a change of its events; nothing is stored.

    Args:
        recording: The recording as it is.
        change: What happens to its events.
        seed: From 0 to below 2⁶⁴; decides what is random.
    """

    def __init__(self, recording: Recording, change: EventChange, seed: int) -> None:
        self._recording, self._change, self._seed = recording, change, seed
        self.path, self.height, self.width = recording.path, recording.height, recording.width
        self.started_at = recording.started_at

    @property
    @override
    def num_events(self) -> int:
        """Events before the change."""
        return self._recording.num_events

    @property
    @override
    def start_us(self) -> int:
        return self._recording.start_us

    @property
    @override
    def stop_us(self) -> int:
        return self._recording.stop_us

    @override
    def read(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Events]:
        start_us = self.start_us if start_us is None else start_us
        stop_us = self.stop_us if stop_us is None else stop_us
        return self._change.read(self._recording, start_us, stop_us, self._seed)

    @override
    def __fingerprint__(self) -> object:
        change = self._change.model_dump(mode="json")
        return [self._recording.__fingerprint__(), change, self._seed]

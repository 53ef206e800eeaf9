"""Recordings in memory, and what changes make of them."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from typing_extensions import override

from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.changed import ChangedRecording
from etram_pipeline.events.changes import EventChange
from etram_pipeline.events.noise import joined

HEIGHT, WIDTH, STOP_US = 7, 9, 1_000_000


class Chunks(Recording):
    """Events in memory, read in chunks that end where they are told."""

    def __init__(self, events: Events, cuts: Sequence[int] = ()) -> None:
        self.path, self.height, self.width = Path(__file__), HEIGHT, WIDTH
        self.events, self.cuts = events, sorted(cuts)

    @property
    @override
    def num_events(self) -> int:
        return len(self.events)

    @property
    @override
    def start_us(self) -> int:
        return int(self.events.t_us[0]) if len(self.events) else 0

    @property
    @override
    def stop_us(self) -> int:
        return int(self.events.t_us[-1]) + 1 if len(self.events) else 0

    @override
    def read(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Events]:
        times_us = self.events.t_us
        first = 0 if start_us is None else int(np.searchsorted(times_us, start_us))
        last = len(times_us) if stop_us is None else int(np.searchsorted(times_us, stop_us))
        edges = [first, *(cut for cut in self.cuts if first < cut < last), max(last, first)]
        for begin, end in pairwise(edges):
            yield self.events.slice(begin, end)


def events_at(*rows: tuple[int, int, int, int]) -> Events:
    """Events of time in ms, column, row and polarity."""
    t_ms, x, y, polarity = np.array(rows).reshape(-1, 4).T
    return Events(x.astype(np.uint16), y.astype(np.uint16), t_ms * 1000, polarity.astype(np.uint8))


def random_events(number: int, seed: int = 0) -> Events:
    """Events all over sensor and time, often several at a time; the first at 0."""
    rng = np.random.default_rng(seed)
    t_us = np.sort(rng.integers(0, STOP_US // 50, number)) * 50
    t_us[:1] = 0
    return Events(
        x=rng.integers(0, WIDTH, number).astype(np.uint16),
        y=rng.integers(0, HEIGHT, number).astype(np.uint16),
        t_us=t_us,
        polarity=rng.integers(0, 2, number).astype(np.uint8),
    )


def change(kind: str, **fields: object) -> EventChange:
    return EventChange.model_validate({"kind": kind, **fields})


def rows(events: Events) -> np.ndarray:
    return np.stack([events.t_us, events.x, events.y, events.polarity], axis=1)


def read(
    recording: Recording, what: EventChange, span: tuple[int, int] | None = None, seed: int = 3
) -> np.ndarray:
    """Rows of time, column, row and polarity after a change."""
    changed = ChangedRecording(recording, what, seed)
    chunks = list(changed.read(*(span or ())))
    return rows(joined(chunks)) if chunks else np.zeros((0, 4))

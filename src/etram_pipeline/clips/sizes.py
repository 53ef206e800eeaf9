"""Training on recordings of several sensor sizes: every batch holds recordings of one size."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TypeVar

import numpy as np

from etram_pipeline.clips.repetition import FrameFactors
from etram_pipeline.clips.representations import WindowRepresentations
from etram_pipeline.clips.schedule import (
    Step,
    Windows,
    all_parts,
    part_factors,
    stream_parts,
)

Chosen = TypeVar("Chosen")


def names_by_size(
    representations: Mapping[str, WindowRepresentations],
) -> list[tuple[str, ...]]:
    """Recordings of each height and width, smallest size first."""
    found: dict[tuple[int, int], list[str]] = {}
    for name, stored in representations.items():
        found.setdefault((stored.height, stored.width), []).append(name)
    return [tuple(found[size]) for size in sorted(found)]


def choose(of_recording: Mapping[str, Chosen], names: Sequence[str]) -> dict[str, Chosen]:
    """The entries of the recordings `names`."""
    return {name: of_recording[name] for name in names}


def windows_to_stream(
    frame_windows: Windows, length: int, factors: FrameFactors | None = None
) -> int:
    """Number of windows that one pass over the recordings reads in order, on average.

    Args:
        frame_windows: Labelled windows of each recording.
        length: Windows per clip.
        factors: Repeat factor of each labelled window; None: everything is read once.
    """
    parts = all_parts(stream_parts, frame_windows, length)
    windows = np.array([part[-1].stop - part[0].start for part in parts], np.int64)
    if factors is None:
        return int(windows.sum())
    return round(float(windows @ part_factors(parts, frame_windows, factors)))


def interleaved(schedules: Sequence[Iterator[Step]], shares: Sequence[int]) -> Iterator[Step]:
    """Endless steps of several schedules, mixed evenly in proportion to their shares.

    The order depends on the shares alone, so every process takes the same schedule at each step.

    Args:
        schedules: Schedules, each of which keeps its own order.
        shares: Weight of each schedule; positive.
    """
    taken = [0] * len(schedules)
    while True:
        turn = min(
            range(len(schedules)), key=lambda each: Fraction(2 * taken[each] + 1, shares[each])
        )
        taken[turn] += 1
        yield next(schedules[turn])

"""Recordings of several sensor sizes in one training, whose batches hold one size each."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TypeVar

from etram_pipeline.clips.dataset import WindowRepresentations
from etram_pipeline.clips.schedule import Step, Windows, stream_parts

Value = TypeVar("Value")


def names_by_size(frames: Mapping[str, WindowRepresentations]) -> list[tuple[str, ...]]:
    """Recordings of each height and width, smallest first."""
    found: dict[tuple[int, int], list[str]] = {}
    for name, stored in frames.items():
        found.setdefault((stored.height, stored.width), []).append(name)
    return [tuple(found[size]) for size in sorted(found)]


def choose(of_recording: Mapping[str, Value], names: Sequence[str]) -> dict[str, Value]:
    """What belongs to the recordings `names`."""
    return {name: of_recording[name] for name in names}


def windows_to_stream(frame_windows: Windows, length: int) -> int:
    """Windows that a pass over recordings reads in order.

    Args:
        frame_windows: Labelled windows of each recording.
        length: Windows per clip.
    """
    parts = [
        part
        for name, windows in frame_windows.items()
        for part in stream_parts(name, windows, length)
    ]
    return sum(part[-1].stop - part[0].start for part in parts)


def interleaved(schedules: Sequence[Iterator[Step]], shares: Sequence[int]) -> Iterator[Step]:
    """Steps of several schedules without end, evenly mixed in proportion to their shares.

    Whose turn it is depends on the shares alone, so that every process takes the same one.

    Args:
        schedules: What to take steps from, each in its order.
        shares: Weight of each; positive.
    """
    taken = [0] * len(schedules)
    while True:
        turn = min(
            range(len(schedules)), key=lambda each: Fraction(2 * taken[each] + 1, shares[each])
        )
        taken[turn] += 1
        yield next(schedules[turn])

"""Which windows are read together, and in what order; no torch, no files.

A schedule is a sequence of steps. A step names one clip for every lane of a batch. A lane reads the
clips of a part of a recording one after the other, so a detector keeps one state per lane, and the
number of data-loading workers does not matter. The schedule only needs a data loader that keeps the
order of its batches.

The clips are the same as in the RVT reference (`data/genx_utils/sequence_for_streaming.py` and
`sequence_rnd.py`), but their order differs. In RVT, every batch position of every worker on every
device reads all parts in its own order, and an epoch ends when all of them have finished. Here, all
lanes of all devices take the next part from one queue when they become free. Every part is
therefore read once before any part is read again, no lane runs out of data, and training has no
epochs.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64
from pydantic import Field, model_validator

from etram_pipeline.clips.repetition import FrameFactors, repeated
from etram_pipeline.core.component import Settings
from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import StoreError

Sampling = Literal["stream", "random", "whole"]
Windows = Mapping[str, Int64[np.ndarray, " F"]]
"""Labelled windows of each recording, ascending."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Consecutive windows of one recording.

    Attributes:
        recording: Key of the recording.
        start: Index of the first window.
        stop: Index after the last window; the last clip of a part may be shorter than the others.
        starts: Whether the clip starts from a new state.
        sampling: How the clip was chosen; `whole` clips cover a recording from start to end.
        draw: Number of the pass over the data, and number of the part in that pass. They seed the
            random draws, so all clips of a part share a draw, and the next pass uses another one.
    """

    recording: str
    start: int
    stop: int
    starts: bool
    sampling: Sampling
    draw: tuple[int, int] = (0, 0)


Part = tuple[Clip, ...]
Step = tuple[Clip | None, ...]


class SamplingSettings(Settings):
    """How training reads recordings.

    Attributes:
        kind: `stream` reads recordings in order and carries the state on. `random` reads single
            clips that end at a labelled frame, each from a new state. `mixed` uses some lanes of
            a batch for each.
        stream_weight: Weight of the streaming lanes in a mixed batch.
        random_weight: Weight of the random lanes in a mixed batch.
        repeat_threshold: Share of labelled frames below which a class is rare. Parts that show a
            rare class are read several times in a pass; see `clips.repetition`. None: every part
            is read once, as in the reference. Any other value changes the training result.
    """

    kind: Literal["stream", "random", "mixed"] = "mixed"
    stream_weight: float = Field(default=1.0, ge=0)
    random_weight: float = Field(default=1.0, ge=0)
    repeat_threshold: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _check_weights(self) -> "SamplingSettings":
        if self.stream_weight + self.random_weight == 0:
            raise ValueError("stream_weight and random_weight are both 0; raise one of them")
        return self

    def num_random(self, lanes: int) -> int:
        """Number of lanes that read random clips; a mixed batch keeps at least one streaming lane.

        Source: RVT, `modules/data/genx.py`, `get_dataloader_kwargs` and `set_mixed_sampling`.
        """
        if self.kind != "mixed":
            return lanes if self.kind == "random" else 0
        share = self.random_weight / (self.stream_weight + self.random_weight)
        return min(round(lanes * share), lanes - 1)


@dataclass(frozen=True)
class Lanes:
    """The lanes of one process.

    Attributes:
        count: Number of lanes of the process, which is its batch size.
        rank: Number of the process.
        num_ranks: Number of processes that train together, each with `count` lanes.
    """

    count: int
    rank: int = 0
    num_ranks: int = 1

    def share(self, step: Step) -> Step:
        """The clips of this process in a step for all processes."""
        per_rank = len(step) // self.num_ranks
        return step[self.rank * per_rank : (self.rank + 1) * per_rank]


def stream_parts(recording: str, frame_windows: Int64[np.ndarray, " F"], length: int) -> list[Part]:
    """Split a recording at long gaps between labels, and cut each part into clips.

    The first clip of a part ends at the first labelled window, if enough windows precede it;
    otherwise the part starts with the recording. A part ends at its last labelled window. Gaps
    within a part are at most `length` windows, so every clip has a labelled window.
    """
    gaps = np.flatnonzero(np.diff(frame_windows) > length) + 1
    groups = [group for group in np.split(frame_windows, gaps) if len(group)]
    spans = [(max(int(group[0]) - length + 1, 0), int(group[-1]) + 1) for group in groups]
    return [_cut(recording, start, stop, length, "stream") for start, stop in spans]


def random_parts(recording: str, frame_windows: Int64[np.ndarray, " F"], length: int) -> list[Part]:
    """One clip that ends at each labelled window; windows too early for a full clip are skipped."""
    stops = [int(window) + 1 for window in frame_windows if window >= length - 1]
    return [
        (Clip(recording, stop - length, stop, starts=True, sampling="random"),) for stop in stops
    ]


def all_parts(
    cut: Callable[[str, Int64[np.ndarray, " F"], int], list[Part]],
    frame_windows: Windows,
    length: int,
) -> list[Part]:
    """Parts of all recordings, cut by `stream_parts` or `random_parts`."""
    names = sorted(frame_windows)
    return [part for name in names for part in cut(name, frame_windows[name], length)]


def part_factors(
    parts: Sequence[Part], frame_windows: Windows, factors: FrameFactors
) -> Float64[np.ndarray, " P"]:
    """Repeat factor of each part: the largest of its labelled windows."""
    found = np.ones(len(parts))
    for index, part in enumerate(parts):
        name, span = part[0].recording, [part[0].start, part[-1].stop]
        first, last = np.searchsorted(frame_windows[name], span).tolist()
        found[index] = factors[name][first:last].max()
    return found


def training_schedule(
    frame_windows: Windows,
    sampling: SamplingSettings,
    lanes: Lanes,
    length: int,
    seed: int,
    factors: FrameFactors | None = None,
) -> Iterator[Step]:
    """Infinite sequence of training steps; equal arguments give equal steps.

    Streaming lanes come first. In a mixed batch, all lanes stream if no random clip is possible.

    Args:
        frame_windows: Labelled windows of each recording.
        sampling: How many lanes stream and how many read random clips.
        lanes: The lanes to fill.
        length: Windows per clip.
        seed: Determines the order of the parts in each pass.
        factors: Repeat factor of each labelled window; needed for `repeat_threshold`.

    Raises:
        StoreError: If no recording has a label, or none is long enough for a random clip.
        ValueError: If `repeat_threshold` is set but `factors` are missing.
    """
    if sampling.repeat_threshold is None:
        factors = None
    elif factors is None:
        raise ValueError("repeat_threshold needs the repeat factor of each labelled window")
    streams = all_parts(stream_parts, frame_windows, length)
    items = all_parts(random_parts, frame_windows, length)
    if not streams:
        raise StoreError(
            f"no labelled window to train on in {counted(len(frame_windows), 'recording')}"
        )
    num_random = sampling.num_random(lanes.count)
    if num_random and not items:
        if sampling.kind == "random":
            raise StoreError(
                f"no clip of {length} windows ends at a labelled window; lower clip_length"
            )
        num_random = 0
    num_stream = lanes.count - num_random
    of_parts = [
        None if factors is None else part_factors(parts, frame_windows, factors)
        for parts in (streams, items)
    ]
    passes = [
        _passes(parts, of_parts[salt], [seed, salt]) for salt, parts in enumerate((streams, items))
    ]
    return _deal_to_ranks(
        _deal(passes[0], num_stream * lanes.num_ranks),
        _deal(passes[1], num_random * lanes.num_ranks),
        lanes,
    )


def whole_schedule(spans: Mapping[str, range], lanes: Lanes, length: int) -> list[Step]:
    """Steps that read every recording once; each recording is read in one lane.

    Recordings are assigned from the longest to the shortest, each to the lane with the fewest clips
    so far. A lane without clips left is None; a step has at least one clip.

    Args:
        spans: Windows to read of each recording; empty ones are left out.
        lanes: The lanes to fill.
        length: Windows per clip.
    """
    queues: list[list[Clip]] = [[] for _ in range(lanes.count * lanes.num_ranks)]
    for name in sorted(spans, key=lambda name: (-len(spans[name]), name)):
        span = spans[name]
        min(queues, key=len).extend(_cut(name, span.start, span.stop, length, "whole"))
    shares = [lanes.share(step) for step in itertools.zip_longest(*queues)]
    return [step for step in shares if any(step)]


def labelled_span(frame_windows: Int64[np.ndarray, " F"], num_windows: int, length: int) -> range:
    """Windows to read to detect at every labelled window; empty without labels."""
    if not len(frame_windows):
        return range(0)
    return range(max(int(frame_windows[0]) - length + 1, 0), num_windows)


def _cut(recording: str, start: int, stop: int, length: int, sampling: Sampling) -> Part:
    return tuple(
        Clip(recording, first, min(first + length, stop), first == start, sampling)
        for first in range(start, stop, length)
    )


def _passes(
    parts: Sequence[Part], factors: Float64[np.ndarray, " P"] | None, seed: list[int]
) -> Iterator[Part]:
    """Endless passes over all parts, shuffled, each part repeated according to its factor."""
    for number in itertools.count():
        rng = np.random.default_rng([*seed, number])
        order = rng.permutation(len(parts) if factors is None else repeated(factors, rng))
        for index in order.tolist():
            part = parts[index % len(parts)]
            yield tuple(replace(clip, draw=(number, index)) for clip in part)


def _deal(parts: Iterator[Part], lanes: int) -> Iterator[Step]:
    """Steps in which each lane reads a part to its end and then takes the next part."""
    readers = [itertools.chain.from_iterable(parts) for _ in range(lanes)]
    while True:
        yield tuple(next(reader) for reader in readers)


def _deal_to_ranks(streams: Iterator[Step], items: Iterator[Step], lanes: Lanes) -> Iterator[Step]:
    for stream, item in zip(streams, items, strict=True):
        yield lanes.share(stream) + lanes.share(item)

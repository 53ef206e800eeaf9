"""Which windows are read together, and in what order; no torch, no files.

A schedule is a sequence of steps. A step names one clip for every lane of a batch, and a lane reads
the clips of one part of a recording after the other, so that a detector keeps one state per lane
however many workers load the data. A data loader that keeps the order of its batches is all that
is needed.

Clips are those of the RVT reference (`data/genx_utils/sequence_for_streaming.py` and
`sequence_rnd.py`). What differs is who reads them when. There, every place in a batch of every
worker on every device reads all parts in an order of its own, and an "epoch" ends when all of them
have. Here all lanes of all devices take the next part from one queue as they become free, so every
part is read once before any is read again, no lane ever runs out, and training has no epochs that
could end.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64
from pydantic import Field, model_validator

from etram_pipeline.clips.repetition import FrameClasses, frame_factors, repeated
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
        stop: Index after the last window; less than a clip's length away where a part ends.
        starts: Whether no state precedes the clip.
        sampling: How the clip was chosen; `whole` clips read a recording from end to end.
        draw: Pass over the data and number of the part in it. Whatever is drawn by chance from
            these is the same for all clips of a part and another one when it is read again.
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
        kind: `stream` reads them in order with the state carried on, `random` cuts a clip before
            any labelled frame and forgets, `mixed` gives some lanes of a batch to each.
        stream_weight: Share of the lanes that stream when mixed.
        random_weight: Share of the others.
        repeat_threshold: Parts with a class that fewer labelled frames than this share show are
            read several times in a pass, so that rare classes are seen more often; see
            `clips.repetition`. None: every part once, as in the reference. Any other changes
            what is learnt.
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
        """Lanes of a batch that read random clips; a mixed batch keeps one that streams.

        Source: RVT, `modules/data/genx.py`, `get_dataloader_kwargs` and `set_mixed_sampling`.
        """
        if self.kind != "mixed":
            return lanes if self.kind == "random" else 0
        share = self.random_weight / (self.stream_weight + self.random_weight)
        return min(round(lanes * share), lanes - 1)


@dataclass(frozen=True)
class Lanes:
    """The lanes one process reads.

    Attributes:
        count: Lanes of the process, the size of its batches.
        rank: Number of the process.
        num_ranks: Processes that train together, each with `count` lanes of its own.
    """

    count: int
    rank: int = 0
    num_ranks: int = 1

    def share(self, step: Step) -> Step:
        """What this process reads of a step that is dealt to all of them."""
        per_rank = len(step) // self.num_ranks
        return step[self.rank * per_rank : (self.rank + 1) * per_rank]


def stream_parts(recording: str, frame_windows: Int64[np.ndarray, " F"], length: int) -> list[Part]:
    """Stretches of a recording between long gaps without labels, cut into clips.

    A part begins `length` windows before the first label's end, or where the recording begins, and
    ends with its last label. As no gap within is longer than `length`, every clip has a label.
    """
    gaps = np.flatnonzero(np.diff(frame_windows) > length) + 1
    groups = [group for group in np.split(frame_windows, gaps) if len(group)]
    spans = [(max(int(group[0]) - length + 1, 0), int(group[-1]) + 1) for group in groups]
    return [_cut(recording, start, stop, length, "stream") for start, stop in spans]


def random_parts(recording: str, frame_windows: Int64[np.ndarray, " F"], length: int) -> list[Part]:
    """One clip that ends with each labelled window; none for those too early for a full clip."""
    stops = [int(window) + 1 for window in frame_windows if window >= length - 1]
    return [
        (Clip(recording, stop - length, stop, starts=True, sampling="random"),) for stop in stops
    ]


def training_schedule(
    frame_windows: Windows,
    sampling: SamplingSettings,
    lanes: Lanes,
    length: int,
    seed: int,
    frame_classes: FrameClasses | None = None,
) -> Iterator[Step]:
    """Steps without end; the same for the same arguments.

    Lanes that stream come first. Without a single clip to draw at random, all lanes stream.

    Args:
        frame_windows: Labelled windows of each recording.
        sampling: How many lanes do what.
        lanes: The lanes to deal to.
        length: Windows per clip.
        seed: Decides the order of the parts in each pass.
        frame_classes: What the labelled windows show, by which rare parts are read more often.

    Raises:
        StoreError: If no recording has a label, or none is long enough for a random clip.
        ValueError: If parts are to be read more often but `frame_classes` is missing.
    """
    names = sorted(frame_windows)
    streams = [p for name in names for p in stream_parts(name, frame_windows[name], length)]
    items = [p for name in names for p in random_parts(name, frame_windows[name], length)]
    if not streams:
        raise StoreError(f"no labelled window to train on in {counted(len(names), 'recording')}")
    num_random = sampling.num_random(lanes.count)
    if num_random and not items:
        if sampling.kind == "random":
            raise StoreError(f"no labelled window has {length} windows up to it; lower clip_length")
        num_random = 0
    num_stream = lanes.count - num_random
    passes = [
        _passes(parts, _factors(parts, frame_windows, sampling, frame_classes), [seed, salt])
        for salt, parts in enumerate((streams, items))
    ]
    return _deal_to_ranks(
        _deal(passes[0], num_stream * lanes.num_ranks),
        _deal(passes[1], num_random * lanes.num_ranks),
        lanes,
    )


def whole_schedule(spans: Mapping[str, range], lanes: Lanes, length: int) -> list[Step]:
    """Every recording once, each in one lane; lanes that run out are None, but never all of them.

    Recordings are dealt longest first, each to the lane that has least to read, so any number of
    them fits any number of lanes.

    Args:
        spans: Windows to read of each recording; empty ones are left out.
        lanes: The lanes to deal to.
        length: Windows per clip.
    """
    queues: list[list[Clip]] = [[] for _ in range(lanes.count * lanes.num_ranks)]
    for name in sorted(spans, key=lambda name: (-len(spans[name]), name)):
        span = spans[name]
        min(queues, key=len).extend(_cut(name, span.start, span.stop, length, "whole"))
    shares = [lanes.share(step) for step in itertools.zip_longest(*queues)]
    return [step for step in shares if any(step)]


def labelled_span(frame_windows: Int64[np.ndarray, " F"], num_windows: int, length: int) -> range:
    """Windows to read so that every label of a recording is reached; none without labels."""
    if not len(frame_windows):
        return range(0)
    return range(max(int(frame_windows[0]) - length + 1, 0), num_windows)


def _cut(recording: str, start: int, stop: int, length: int, sampling: Sampling) -> Part:
    return tuple(
        Clip(recording, first, min(first + length, stop), first == start, sampling)
        for first in range(start, stop, length)
    )


def _factors(
    parts: Sequence[Part],
    frame_windows: Windows,
    sampling: SamplingSettings,
    frame_classes: FrameClasses | None,
) -> Float64[np.ndarray, " P"] | None:
    """How often each part is read in a pass; None: once each."""
    if sampling.repeat_threshold is None:
        return None
    if frame_classes is None:
        raise ValueError("repeat_threshold needs the classes that each labelled frame shows")
    of_frames = frame_factors(frame_classes, sampling.repeat_threshold)
    factors = np.ones(len(parts))
    for index, part in enumerate(parts):
        name, span = part[0].recording, [part[0].start, part[-1].stop]
        first, last = np.searchsorted(frame_windows[name], span).tolist()
        factors[index] = of_frames[name][first:last].max()
    return factors


def _passes(
    parts: Sequence[Part], factors: Float64[np.ndarray, " P"] | None, seed: list[int]
) -> Iterator[Part]:
    """All parts, each as often as its factor says, in one random order after the other."""
    for number in itertools.count():
        rng = np.random.default_rng([*seed, number])
        order = rng.permutation(len(parts) if factors is None else repeated(factors, rng))
        for index in order.tolist():
            part = parts[index % len(parts)]
            yield tuple(replace(clip, draw=(number, index)) for clip in part)


def _deal(parts: Iterator[Part], lanes: int) -> Iterator[Step]:
    """Each lane reads a part to its end, then takes the next one."""
    readers = [itertools.chain.from_iterable(parts) for _ in range(lanes)]
    while True:
        yield tuple(next(reader) for reader in readers)


def _deal_to_ranks(streams: Iterator[Step], items: Iterator[Step], lanes: Lanes) -> Iterator[Step]:
    for stream, item in zip(streams, items, strict=True):
        yield lanes.share(stream) + lanes.share(item)

"""Changes of the events behind stacked histograms; NumPy only.

The random draw for a whole part (`EventAugmentationSettings.draw`) is separate from its application
(`EventChanges.apply`). Stored histograms hold counts, not events: a count at its limit is treated
as that many events, and the changed count is limited again.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8
from pydantic import Field

from etram_pipeline.core.component import Settings
from etram_pipeline.core.errors import StoreError
from etram_pipeline.events.representations import stacked_histogram
from etram_pipeline.events.settings import EncodingSettings

Histograms = UInt8[np.ndarray, "T C H W"]
Counts = UInt8[np.ndarray, "T 2 bins pixels"]


@dataclass(frozen=True)
class HistogramLayout:
    """What the values of a stored stacked histogram are.

    Attributes:
        bins: Parts of the window; channel `p * bins + b` counts polarity `p` in part `b`.
        max_count: Where counts stop.
    """

    bins: int
    max_count: int

    @classmethod
    def of(cls, encoding: EncodingSettings | None, recording: str) -> "HistogramLayout":
        """The layout of representations that were made with `encoding`.

        Raises:
            StoreError: If they are not stacked histograms, or if `encoding` is not known.
        """
        representation = None if encoding is None else encoding.representation
        if not isinstance(representation, stacked_histogram.Config):
            kind = "of unknown settings" if representation is None else representation.kind
            raise StoreError(
                "train.stream_augmentation.events and train.random_augmentation.events change "
                f"stacked histograms made here, but those of {recording} are {kind}: leave their "
                "probabilities at 0, or run `preprocess` with representation.kind stacked_histogram"
            )
        return cls(representation.bins, representation.max_count or 255)


@dataclass(frozen=True)
class EventChanges:
    """What becomes of the events of a clip, in this order.

    Attributes:
        drop: Chance of each event to be left out.
        jitter: Chance of each event to move to the part of its window before or after its own,
            either as often; at the ends of the window it stays if there is none.
        noise: Events that are added in each pixel, part of a window and polarity, on average.
        suppressed: Polarity whose events, added ones too, are all left out.
    """

    drop: float = 0.0
    jitter: float = 0.0
    noise: float = 0.0
    suppressed: int | None = None

    def apply(
        self, histograms: Histograms, layout: HistogramLayout, rng: np.random.Generator
    ) -> Histograms:
        """Histograms of the changed events; the same array if nothing changes."""
        if self == EventChanges():
            return histograms
        windows, _, height, width = histograms.shape
        counts = histograms.reshape(windows, 2, layout.bins, height * width).copy()
        if self.drop:
            _drop(counts, self.drop, rng)
        if self.jitter:
            _jitter(counts, self.jitter, layout.max_count, rng)
        if self.noise:
            _add_noise(counts, self.noise, layout.max_count, rng)
        if self.suppressed is not None:
            counts[:, self.suppressed] = 0
        return counts.reshape(histograms.shape)


class EventAugmentationSettings(Settings):
    """How often and how far the events of clips are changed; never in the reference.

    Any probability above 0 changes what is learnt. Only stacked histograms made here can be
    changed: those of mixed densities have cancelled out.

    Attributes:
        suppression_probability: Share of clips that lose all events of one polarity, either one as
            often.
        noise_probability: Share of clips with events added where none was.
        max_noise: Most events added in each pixel, part of a window and polarity, on average; how
            many is drawn evenly from 0.
        drop_probability: Share of clips with events left out.
        max_drop: Largest share of events left out, drawn evenly from 0.
        jitter_probability: Share of clips with events moved in time.
        max_jitter: Largest share of events moved to a neighbouring part of their window, drawn
            evenly from 0.
    """

    suppression_probability: float = Field(default=0.0, ge=0, le=1)
    noise_probability: float = Field(default=0.0, ge=0, le=1)
    max_noise: float = Field(default=0.005, ge=0, le=1)
    drop_probability: float = Field(default=0.0, ge=0, le=1)
    max_drop: float = Field(default=0.5, ge=0, le=1)
    jitter_probability: float = Field(default=0.0, ge=0, le=1)
    max_jitter: float = Field(default=0.5, ge=0, le=1)

    @property
    def is_active(self) -> bool:
        """Whether any clip is changed."""
        return bool(
            self.suppression_probability
            or self.noise_probability
            or self.drop_probability
            or self.jitter_probability
        )

    def draw(self, rng: np.random.Generator) -> EventChanges:
        """Changes drawn by chance."""
        # Every number is drawn whether it is needed or not, so that none depends on the others.
        suppress, drop, jitter, noise = rng.random(4)
        polarity = int(rng.integers(2))
        drop_by, jitter_by, noise_by = rng.random(3)
        return EventChanges(
            drop=self.max_drop * drop_by if drop < self.drop_probability else 0.0,
            jitter=self.max_jitter * jitter_by if jitter < self.jitter_probability else 0.0,
            noise=self.max_noise * noise_by if noise < self.noise_probability else 0.0,
            suppressed=polarity if suppress < self.suppression_probability else None,
        )


def _drop(counts: Counts, share: float, rng: np.random.Generator) -> None:
    """Leave out each event with the chance of `share`."""
    flat = counts.reshape(-1)
    filled = _filled(flat)
    flat[filled] = rng.binomial(flat[filled], 1 - share)


def _jitter(counts: Counts, share: float, limit: int, rng: np.random.Generator) -> None:
    """Move each event to the part before or after its own with the chance of `share`."""
    bins, pixels = counts.shape[-2:]
    flat = counts.reshape(-1)
    filled = _filled(flat)
    moved = rng.binomial(flat[filled], share)
    later = rng.binomial(moved, 0.5)
    earlier = moved - later
    part = filled // pixels % bins
    later[part == bins - 1] = 0
    earlier[part == 0] = 0
    flat[filled] -= (later + earlier).astype(np.uint8)
    for step, events in ((pixels, later), (-pixels, earlier)):
        moves = events > 0
        _add(flat, filled[moves] + step, events[moves], limit)


def _add_noise(counts: Counts, rate: float, limit: int, rng: np.random.Generator) -> None:
    """Add events to all cells alike.

    As many as the cells get in all, each thrown into any of them, makes the same distribution as
    one Poisson draw for every cell, of which nearly all would be 0.
    """
    thrown = rng.integers(counts.size, size=rng.poisson(rate * counts.size))
    cells, events = np.unique(thrown, return_counts=True)
    _add(counts.reshape(-1), cells, events, limit)


def _filled(counts: UInt8[np.ndarray, " N"]) -> Int64[np.ndarray, " M"]:
    """Cells with events; looking for truth is six times as fast as looking for numbers."""
    return np.flatnonzero(counts != 0)


def _add(
    counts: UInt8[np.ndarray, " N"],
    cells: Int64[np.ndarray, " M"],
    events: Int64[np.ndarray, " M"],
    limit: int,
) -> None:
    """Add events to cells, none of which is named twice."""
    counts[cells] = np.minimum(counts[cells] + events, limit)

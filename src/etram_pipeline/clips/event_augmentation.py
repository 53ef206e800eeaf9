"""Random changes of the events in stacked histograms; NumPy only.

The random draw for a whole part (`EventAugmentationSettings.draw`) is separate from its application
(`EventChanges.apply`). Stored histograms hold counts, not events. A saturated count is treated as
`max_count` events, and changed counts saturate again.
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
    """Meaning of the values of a stored stacked histogram.

    Attributes:
        bins: Time bins of a window; channel `p * bins + b` counts polarity `p` in bin `b`.
        max_count: Value at which counts saturate.
    """

    bins: int
    max_count: int

    @classmethod
    def of(cls, encoding: EncodingSettings | None, recording: str) -> "HistogramLayout":
        """Layout of representations that were encoded with `encoding`.

        Raises:
            StoreError: If they are not stacked histograms, or if `encoding` is unknown.
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
    """Changes to the events of a clip, applied in this order.

    Attributes:
        drop: Probability that an event is removed.
        jitter: Probability that an event moves to the previous or the next time bin of its window,
            each in half of the cases; an event that would leave the window stays in its bin.
        noise: Mean number of events added per pixel, time bin and polarity.
        suppressed: Polarity whose events, including added ones, are all removed.
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
    """How often and how strongly the events of clips are changed; the reference never does so.

    Any probability above 0 changes the training result. Only stacked histograms made by this
    project can be changed: in mixed density stacks, opposite polarities have cancelled out.

    Attributes:
        suppression_probability: Share of clips that lose all events of one polarity, which is
            chosen at random.
        noise_probability: Share of clips with events added at random.
        max_noise: Largest mean number of events added per pixel, time bin and polarity; the mean is
            drawn uniformly between 0 and this.
        drop_probability: Share of clips with events removed at random.
        max_drop: Largest share of events removed; the share is drawn uniformly between 0 and this.
        jitter_probability: Share of clips with events moved in time.
        max_jitter: Largest share of events moved to a neighbouring time bin; the share is drawn
            uniformly between 0 and this.
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
        """Draw random changes."""
        # All numbers are always drawn, so that no setting changes the numbers of another one.
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
    """Remove each event with the probability `share`."""
    flat = counts.reshape(-1)
    filled = _filled(flat)
    flat[filled] = rng.binomial(flat[filled], 1 - share)


def _jitter(counts: Counts, share: float, limit: int, rng: np.random.Generator) -> None:
    """Move each event to a neighbouring time bin with the probability `share`."""
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
    """Add events to all cells at the same rate.

    One Poisson draw gives the total number of events, and each event falls into a random cell. The
    result has the same distribution as one Poisson draw per cell, which would nearly always give 0.
    """
    thrown = rng.integers(counts.size, size=rng.poisson(rate * counts.size))
    cells, events = np.unique(thrown, return_counts=True)
    _add(counts.reshape(-1), cells, events, limit)


def _filled(counts: UInt8[np.ndarray, " N"]) -> Int64[np.ndarray, " M"]:
    """Indices of cells with events; `flatnonzero` is six times as fast on booleans."""
    return np.flatnonzero(counts != 0)


def _add(
    counts: UInt8[np.ndarray, " N"],
    cells: Int64[np.ndarray, " M"],
    events: Int64[np.ndarray, " M"],
    limit: int,
) -> None:
    """Add events to cells; `cells` has no duplicates."""
    counts[cells] = np.minimum(counts[cells] + events, limit)

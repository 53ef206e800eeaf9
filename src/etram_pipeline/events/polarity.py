"""Rising and falling brightness in representations of any kind."""

import numpy as np
from jaxtyping import Integer, UInt16


def count_polarities(
    frame: Integer[np.ndarray, "C H W"],
) -> tuple[UInt16[np.ndarray, "H W"], UInt16[np.ndarray, "H W"]]:
    """Strength of rising and of falling brightness in each pixel of a representation.

    What other representations show is brought into one of these forms by
    `RepresentationConfig.drawn`.

    Unsigned values are counts: the first half of the channels holds falling brightness, the second
    half rising brightness. Signed values are rises minus falls; the last channel covers the whole
    window.

    Raises:
        ValueError: If the number of unsigned channels is odd.
    """
    if np.issubdtype(frame.dtype, np.signedinteger):
        balance = frame[-1].astype(np.int16)
        return balance.clip(min=0).astype(np.uint16), (-balance).clip(min=0).astype(np.uint16)
    if len(frame) % 2:
        raise ValueError(
            f"a stacked histogram has an even number of channels, but this one has {len(frame)}"
        )
    falling, rising = np.split(frame, 2)
    return rising.sum(axis=0, dtype=np.uint16), falling.sum(axis=0, dtype=np.uint16)


def saturation_of(frame: Integer[np.ndarray, "C H W"], percentile: float = 97) -> float:
    """Strength that `percentile` of the pixels with events do not exceed; 1 without events."""
    rising, falling = (counts.astype(np.float32) for counts in count_polarities(frame))
    total = rising + falling
    active = total[total > 0]
    return max(float(np.percentile(active, percentile)), 1.0) if active.size else 1.0

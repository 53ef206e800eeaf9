"""Rising and falling brightness in representations, whichever they are."""

import numpy as np
from jaxtyping import Integer, UInt16


def count_polarities(
    frame: Integer[np.ndarray, "C H W"],
) -> tuple[UInt16[np.ndarray, "H W"], UInt16[np.ndarray, "H W"]]:
    """Strength of rising and of falling brightness in each pixel of a representation.

    Unsigned values are counts, falling brightness in the first half of the channels, rising in the
    second. Signed values are balances of both, the last channel of which covers the whole window.

    Raises:
        ValueError: If unsigned channels do not split into two polarities.
    """
    if np.issubdtype(frame.dtype, np.signedinteger):
        balance = frame[-1].astype(np.int16)
        return balance.clip(min=0).astype(np.uint16), (-balance).clip(min=0).astype(np.uint16)
    if len(frame) % 2:
        raise ValueError(
            f"a stacked histogram has as many channels for each polarity, found {len(frame)} in all"
        )
    falling, rising = np.split(frame, 2)
    return rising.sum(axis=0, dtype=np.uint16), falling.sum(axis=0, dtype=np.uint16)

"""How many times a part is read in a pass, so that rare classes are seen more often; NumPy only.

Source: Gupta, Dollár and Girshick, "LVIS: A Dataset for Large Vocabulary Instance Segmentation",
CVPR 2019, appendix B: a class that occurs in the share `f` of the images has the repeat factor
`max(1, sqrt(threshold / f))`, and an image has the largest factor of its classes. Here, images are
labelled frames, and a part has the largest factor of its frames.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64, Int64, Integer

FrameClasses = Mapping[str, Sequence[Integer[np.ndarray, " _"]]]
"""Classes of the boxes in each labelled frame, by recording."""


FrameFactors = Mapping[str, Float64[np.ndarray, " F"]]
"""Repeat factor of each labelled frame, by recording."""


def class_factors(
    num_frames: Int64[np.ndarray, " K"], total_frames: int, threshold: float
) -> Float64[np.ndarray, " K"]:
    """Repeat factor of each class; 1 for a class that does not occur.

    Args:
        num_frames: Labelled frames that show each class.
        total_frames: All labelled frames.
        threshold: Share of all frames below which a class is repeated.
    """
    occurring = np.where(num_frames, num_frames, total_frames or 1)
    factors: Float64[np.ndarray, " K"] = np.sqrt(threshold * total_frames / occurring)
    return factors.clip(min=1.0)


def frame_factors(
    frame_classes: FrameClasses, of_class: Float64[np.ndarray, " K"]
) -> dict[str, Float64[np.ndarray, " F"]]:
    """Repeat factor of each labelled frame, by recording; 1 for a frame without boxes."""
    return {
        name: np.array([of_class[classes].max(initial=1.0) for classes in frames], np.float64)
        for name, frames in frame_classes.items()
    }


def repeated(
    factors: Float64[np.ndarray, " P"], rng: np.random.Generator
) -> Int64[np.ndarray, " N"]:
    """Numbers of the readings in one pass; number `n` stands for part `n % P`.

    The fractional part of a factor is the probability of one more reading in a pass, so that a
    part is read as often as its factor says on average.
    """
    num_parts = len(factors)
    times = np.floor(factors).astype(np.int64)
    times += rng.random(num_parts) < factors - times
    first = np.cumsum(times) - times
    copies = np.arange(times.sum()) - np.repeat(first, times)
    numbers: Int64[np.ndarray, " N"] = np.repeat(np.arange(num_parts), times) + num_parts * copies
    return numbers

"""Which parts of the recordings are scored, so that a study ends in bounded time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.counts import counted


@dataclass(frozen=True)
class Sample:
    """Labelled moments that are scored, in one piece of each recording.

    Attributes:
        frames_us: Times of the labelled frames that are scored, by recording.
        seconds: Time from the first of them to the last, of all recordings.
        whole_s: Time from the first to the last labelled frame of all recordings there are.
    """

    frames_us: Mapping[str, Int64[np.ndarray, " F"]]
    seconds: float
    whole_s: float

    @property
    def description(self) -> str:
        """Size of the sample in words."""
        frames = counted(sum(map(len, self.frames_us.values())), "labelled frame")
        recordings = counted(len(self.frames_us), "recording")
        of_all = "" if self.seconds == self.whole_s else f" of {self.whole_s:.0f}"
        return f"{self.seconds:.0f}{of_all} s with {frames} in {recordings}"


def choose_sample(
    frames_us: Mapping[str, Int64[np.ndarray, " F"]], most_s: float, least_s: float, seed: int
) -> Sample:
    """At most some seconds of labelled frames, spread evenly over as many recordings as possible.

    What short recordings leave goes to the longer ones.

    Args:
        frames_us: Times of the labelled frames of each recording, ascending, in microseconds.
        most_s: Most seconds in total.
        least_s: Shortest excerpt of a recording that is longer; with too many recordings for
            excerpts of this length, some are drawn.
        seed: Decides which recordings, and which part of each.
    """
    rng = np.random.default_rng(seed)
    keys = [key for key, times_us in frames_us.items() if len(times_us)]
    lengths_us = {key: int(np.ptp(frames_us[key])) for key in keys}
    most_us, whole_us = round(1e6 * most_s), sum(lengths_us.values())
    if whole_us > most_us:
        most_recordings = max(int(most_s / least_s), 1)
        drawn = rng.permutation(len(keys))[:most_recordings]
        keys = [keys[place] for place in np.sort(drawn)]
    chosen, left_us = {}, most_us
    for rank, key in enumerate(sorted(keys, key=lambda key: lengths_us[key])):
        length_us = min(lengths_us[key], left_us // (len(keys) - rank))
        chosen[key] = _excerpt(frames_us[key], length_us, rng)
        left_us -= length_us
    chosen = {key: chosen[key] for key in keys}
    found_us = sum(int(np.ptp(times_us)) for times_us in chosen.values())
    return Sample(chosen, found_us / 1e6, whole_us / 1e6)


def _excerpt(
    times_us: Int64[np.ndarray, " F"], length_us: int, rng: np.random.Generator
) -> Int64[np.ndarray, " E"]:
    """All frames from a random one on, for at most some time."""
    last_start = int(np.searchsorted(times_us, times_us[-1] - length_us))
    first = int(rng.integers(last_start + 1))
    stop = int(np.searchsorted(times_us, times_us[first] + length_us, side="right"))
    return times_us[first:stop]

"""Whether the tracks of two trackers, or of one with other settings, differ in their scores."""

from collections.abc import Sequence

from etram_pipeline.evaluation.paired import (
    Difference,
    SeedDraws,
    check_comparable,
    compare_draws,
)
from etram_pipeline.evaluation.result import LEVEL, ROUNDS
from etram_pipeline.evaluation.tracks.combining import resample_tracks
from etram_pipeline.evaluation.tracks.result import TrackMetrics


def compare_tracks(
    before: Sequence[TrackMetrics],
    after: Sequence[TrackMetrics],
    rounds: int = ROUNDS,
    level: float = LEVEL,
) -> dict[str, Difference]:
    """Differences of all values by name, such as `car/HOTA`, in the same draws of the recordings.

    Args:
        before: Scores of the first tracks, one for each seed of the detector; mostly one.
        after: Of the second ones.
        rounds: Number of draws.
        level: Share of such intervals that cover the difference over all recordings of the kind
            and, with several seeds on both sides, all seeds.

    Raises:
        ProtocolError: If not all are of the same protocol, split, recordings, labels and classes.
        ValueError: If a side is empty.
    """
    if not before or not after:
        raise ValueError("both sides need scores of tracks to compare")
    check_comparable([*before, *after])
    return compare_draws(_draws(before, rounds), _draws(after, rounds), level)


def _draws(sides: Sequence[TrackMetrics], rounds: int) -> SeedDraws:
    return SeedDraws.of(sides[0].protocol, [resample_tracks(each, rounds) for each in sides])

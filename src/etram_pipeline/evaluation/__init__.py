"""Detections or tracks, and labels, to metrics; NumPy only, no model needed."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etram_pipeline.evaluation.comparison import compare as compare
    from etram_pipeline.evaluation.intervals import find_intervals as find_intervals
    from etram_pipeline.evaluation.paired import compare_matches as compare_matches
    from etram_pipeline.evaluation.scoring import evaluate as evaluate
    from etram_pipeline.evaluation.scoring import evaluate_with_matches as evaluate_with_matches
    from etram_pipeline.evaluation.scoring import find_operating_scores as find_operating_scores
    from etram_pipeline.evaluation.tracks.comparison import compare_tracks as compare_tracks
    from etram_pipeline.evaluation.tracks.intervals import (
        find_track_intervals as find_track_intervals,
    )
    from etram_pipeline.evaluation.tracks.scoring import evaluate_tracks as evaluate_tracks

_HOME = {
    "compare": "comparison",
    "compare_matches": "paired",
    "compare_tracks": "tracks.comparison",
    "evaluate": "scoring",
    "evaluate_tracks": "tracks.scoring",
    "evaluate_with_matches": "scoring",
    "find_intervals": "intervals",
    "find_operating_scores": "scoring",
    "find_track_intervals": "tracks.intervals",
}

__all__ = [
    "compare",
    "compare_matches",
    "compare_tracks",
    "evaluate",
    "evaluate_tracks",
    "evaluate_with_matches",
    "find_intervals",
    "find_operating_scores",
    "find_track_intervals",
]


def __getattr__(name: str) -> object:
    """What this package offers, imported when first asked for so that its settings stay light."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)

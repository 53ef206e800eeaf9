"""Experiments: hypotheses, launching, ranking and comparing; they only arrange `kedro run`."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etram_pipeline.experiments.comparison import compare as compare
    from etram_pipeline.experiments.launching import launch as launch
    from etram_pipeline.experiments.launching import preview as preview
    from etram_pipeline.experiments.overview import leaderboard as leaderboard
    from etram_pipeline.experiments.overview import status as status
    from etram_pipeline.experiments.template import new as new
    from etram_pipeline.experiments.trials.entry import search as search

_HOME = {
    "compare": "comparison",
    "launch": "launching",
    "leaderboard": "overview",
    "new": "template",
    "preview": "launching",
    "search": "trials.entry",
    "status": "overview",
}
"""Module of each function; it may not have the name of a function."""

__all__ = ["compare", "launch", "leaderboard", "new", "preview", "search", "status"]


def __getattr__(name: str) -> object:
    """What this package offers, imported when first asked for: the command line starts here."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)

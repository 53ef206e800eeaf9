"""How counts are compared with the truth."""

from typing import Annotated

from pydantic import Field

from etram_pipeline.core.component import Settings
from etram_pipeline.evaluation.result import LEVEL

WITHIN_S = 1.0
"""Usual time between a crossing and the true one that it can be."""


class CountProtocol(Settings):
    """What counts as right, and over which times differences are taken.

    Attributes:
        name: Part of the names of metrics: the lines that are crossed, such as `grid` or `site`.
        within_s: Longest time between a counted crossing and the true one that it can be, in
            seconds.
        bins_min: Lengths of the bins of time for which differences are reported, in minutes on the
            clock.
        level: Share of the intervals that cover the value of all recordings of the kind.
    """

    name: str = Field(default="site", min_length=1)
    within_s: float = Field(default=WITHIN_S, gt=0)
    bins_min: tuple[Annotated[int, Field(ge=1)], ...] = (1, 5, 15)
    level: float = Field(default=LEVEL, gt=0.5, lt=1)

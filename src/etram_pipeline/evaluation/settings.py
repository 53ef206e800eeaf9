"""What is scored, and how."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from etram_pipeline.core.component import Settings
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import NAMED, check_names, expand_choice
from etram_pipeline.evaluation.result import LEVEL, ROUNDS

_KNOWN = (Protocol, str, Mapping)


def _expand(choices: object) -> object:
    """Names and differences written out; anything else as it is, for pydantic to refuse."""
    if isinstance(choices, _KNOWN):
        choices = [choices]
    if not isinstance(choices, list | tuple):
        return choices
    return [expand_choice(choice) if isinstance(choice, _KNOWN) else choice for choice in choices]


class IntervalSettings(Settings):
    """Intervals of values, found by drawing the recordings anew.

    Attributes:
        rounds: Number of draws; 0: no intervals.
        level: Share of such intervals that cover the value of all recordings of the kind.
    """

    rounds: int = Field(default=ROUNDS, ge=0)
    level: float = Field(default=LEVEL, gt=0.5, lt=1)


class EvaluateSettings(Settings):
    """Protocols and recordings of an evaluation.

    Attributes:
        protocols: Each a name, or the fields of a protocol, or its differences from the one named
            by `like`.
        split: Recordings scored: `train`, `val` or `test`.
        intervals: Intervals of the values.
    """

    protocols: Annotated[
        tuple[Protocol, ...],
        BeforeValidator(_expand),
        AfterValidator(check_names),
        Field(min_length=1),
    ] = (NAMED["etram_8class"],)
    split: Literal["train", "val", "test"] = "test"
    intervals: IntervalSettings = Field(
        default=IntervalSettings(), exclude_if=lambda value: value == IntervalSettings()
    )

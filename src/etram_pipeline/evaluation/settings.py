"""What is scored, and how."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from etram_pipeline.core.component import Settings
from etram_pipeline.core.scaling_kind import ScalingKind
from etram_pipeline.evaluation.protocol import BoxProtocol, Protocol
from etram_pipeline.evaluation.protocols import NAMED, check_names, expand_choice
from etram_pipeline.evaluation.result import LEVEL, ROUNDS
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.evaluation.tracks.protocols import TRACK_PROTOCOLS, check_track_names

_KNOWN = (BoxProtocol, str, Mapping)
_DEFAULT_OF_TRACKS = (
    TRACK_PROTOCOLS["etram_tracks_8class"],
    TRACK_PROTOCOLS["etram_tracks_any"],
)


def _expand(choices: object, named: Mapping[str, BoxProtocol]) -> object:
    """Names and differences written out; anything else as it is, for pydantic to refuse."""
    if isinstance(choices, _KNOWN):
        choices = [choices]
    if not isinstance(choices, list | tuple):
        return choices
    return [
        expand_choice(choice, named) if isinstance(choice, _KNOWN) else choice for choice in choices
    ]


def _check_names(protocols: tuple[Protocol, ...]) -> tuple[Protocol, ...]:
    return check_names(protocols, {**NAMED, **TRACK_PROTOCOLS})


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
        scaling: How scores become probabilities where the validation recordings have detections;
            see `train.validation.scaling`.
        track_protocols: Protocols by which tracks are scored, written like `protocols`; empty:
            tracks are not scored.
    """

    protocols: Annotated[
        tuple[Protocol, ...],
        BeforeValidator(partial(_expand, named=NAMED)),
        AfterValidator(_check_names),
        Field(min_length=1),
    ] = (NAMED["etram_8class"],)
    split: Literal["train", "val", "test"] = "test"
    intervals: IntervalSettings = Field(
        default=IntervalSettings(), exclude_if=lambda value: value == IntervalSettings()
    )
    scaling: ScalingKind = Field(
        default="temperature", exclude_if=lambda value: value == "temperature"
    )
    track_protocols: Annotated[
        tuple[TrackProtocol, ...],
        BeforeValidator(partial(_expand, named=TRACK_PROTOCOLS)),
        AfterValidator(check_track_names),
    ] = Field(default=_DEFAULT_OF_TRACKS, exclude_if=lambda value: value == _DEFAULT_OF_TRACKS)

    @model_validator(mode="after")
    def _check_distinct(self) -> "EvaluateSettings":
        """Names of protocols are part of the names of metrics, so no two may share one."""
        shared = {each.name for each in self.protocols} & {
            each.name for each in self.track_protocols
        }
        if shared:
            raise ValueError(
                f"protocols and track_protocols both have {sorted(shared)}; choose another name"
            )
        return self

"""How tracks become counts."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from etram_pipeline.core.component import Settings

MINUTES_PER_DAY = 24 * 60


def _parsed_clock(value: object) -> object:
    # pydantic takes numbers for seconds since 1970, and YAML takes 07:30 for a number.
    if value is None or isinstance(value, datetime):
        return value
    try:
        text = str(value)
        has_both = "-" in text and len(text) > len("2026-06-01")
        return datetime.fromisoformat(text if has_both else "")
    except ValueError as error:
        raise ValueError(
            f"must be date and time, such as '2026-06-01T07:00:00+02:00', not {value!r}"
        ) from error


class CountSettings(Settings):
    """Lines, zones and tracks become tables of counts.

    Attributes:
        bins_min: Lengths of the bins in minutes; bins begin at whole multiples of their length
            after midnight.
        classes: Classes of the tables. `each`: those of the tracks. `groups`: the road-user
            groups `GROUPS`. A mapping: names of your own, each with the classes it gathers; one
            name with an empty list gathers all classes that are left.
        start_time: Date and clock time at which the recordings begin, with or without an offset
            from UTC; null: as the recording's header says, if it does. The offset stays the same
            throughout a recording, also when daylight saving time begins or ends.
        margin: How far a road user must be on either side of a line to have crossed it, in
            heights of its box.
        keep_tracks: Whether tracks, crossings and stays are stored; otherwise only tables of bins
            are, from which no single road user can be told.
        scored: Sites whose counts are compared with those of the labels: `grid`, lines across the
            sensor that need no drawing, and `site`, the site's own lines.
    """

    bins_min: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1, 5, 15), min_length=1)
    classes: Literal["each", "groups"] | dict[str, tuple[str, ...]] = "each"
    start_time: Annotated[datetime, BeforeValidator(_parsed_clock)] | None = None
    margin: float = Field(default=0.15, ge=0, allow_inf_nan=False)
    keep_tracks: bool = True
    scored: tuple[Literal["grid", "site"], ...] = ("grid", "site")

    @field_validator("bins_min")
    @classmethod
    def _check_bins(cls, bins_min: tuple[int, ...]) -> tuple[int, ...]:
        odd = [minutes for minutes in bins_min if MINUTES_PER_DAY % minutes]
        if odd:
            raise ValueError(f"a day cannot be divided into bins of {odd[0]} minutes")
        return tuple(sorted(set(bins_min)))

    @field_validator("classes")
    @classmethod
    def _check_classes(
        cls, classes: str | dict[str, tuple[str, ...]]
    ) -> str | dict[str, tuple[str, ...]]:
        if isinstance(classes, str):
            return classes
        gathered = [name for names in classes.values() for name in names]
        twice = sorted({name for name in gathered if gathered.count(name) > 1})
        rest = [group for group, names in classes.items() if not names]
        if not classes:
            raise ValueError("must name at least one group, or be `each` or `groups`")
        if twice:
            raise ValueError(f"class {twice[0]!r} is in two groups, and would be counted twice")
        if len(rest) > 1:
            raise ValueError(f"only one of the groups {rest} can gather the classes that are left")
        return classes

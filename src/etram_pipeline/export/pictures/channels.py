"""Pictures of the channels of a representation."""

from typing import Literal

import numpy as np
from jaxtyping import Integer, UInt8
from pydantic import Field, NonNegativeInt, model_validator
from typing_extensions import override

from etram_pipeline.core.errors import StoreError
from etram_pipeline.export.pictures import Painter, Picture, PictureConfig

_NUM_COLOURS = (1, 3)


class Config(PictureConfig):
    """Sums of groups of channels, scaled to 8 bits: one group gives a grey picture, three give RGB.

    A count of zero is black. A signed sum of zero is grey; it is darker where negative events
    prevail, and brighter where positive events do.

    Attributes:
        groups: Channels to sum for red, green and blue, or for grey alone; an empty group is black.
            None: the sum of all channels, in grey.
        saturation: Sum that is shown at full brightness; larger sums look the same.
    """

    kind: Literal["channels"] = "channels"
    groups: tuple[tuple[NonNegativeInt, ...], ...] | None = None
    saturation: int = Field(default=10, ge=1, le=10_000)

    @model_validator(mode="after")
    def _check_groups(self) -> "Config":
        if self.groups is not None and len(self.groups) not in _NUM_COLOURS:
            raise ValueError(
                f"groups has {len(self.groups)} groups of channels, but a picture shows 1 (grey) "
                "or 3 (red, green and blue)"
            )
        return self

    @override
    def build(self, channels: int, *, signed: bool) -> Painter:
        groups = (tuple(range(channels)),) if self.groups is None else self.groups
        absent = sorted({channel for group in groups for channel in group if channel >= channels})
        if absent:
            raise StoreError(
                f"`export.picture.groups` names the channels {absent}, but the representations "
                f"have {channels}, from 0 to {channels - 1}"
            )
        return Channels(groups, self.saturation, signed=signed)


class Channels:
    """Sums each group of channels, and maps the sums to brightness."""

    def __init__(
        self, groups: tuple[tuple[int, ...], ...], saturation: int, *, signed: bool
    ) -> None:
        self._groups = [list(group) for group in groups]
        self._limits = (-saturation if signed else 0, saturation)
        # Signed sums have 128 levels per sign; zero is the lowest level of the positive ones.
        middle, span = (128, 127) if signed else (0, 255)
        sums = np.arange(self._limits[0], self._limits[1] + 1)
        self._brightness = np.rint(middle + sums / saturation * span).clip(0, 255).astype(np.uint8)

    def __call__(self, frame: Integer[np.ndarray, "C H W"]) -> Picture:
        """Draw a representation."""
        colours = [self._shade(frame, group) for group in self._groups]
        return colours[0] if len(colours) == 1 else np.stack(colours, axis=-1)

    def _shade(
        self, frame: Integer[np.ndarray, "C H W"], group: list[int]
    ) -> UInt8[np.ndarray, "H W"]:
        if not group:
            return np.zeros(frame.shape[1:], np.uint8)
        sums = frame[group].sum(axis=0, dtype=np.int32)
        least, greatest = self._limits
        shade: UInt8[np.ndarray, "H W"] = self._brightness.take(sums.clip(least, greatest) - least)
        return shade

"""Pictures with one colour per polarity."""

import re
from typing import Annotated, ClassVar, Literal

import numpy as np
from jaxtyping import Float64, Integer, UInt8
from pydantic import AfterValidator, Field
from typing_extensions import override

from etram_pipeline.core.errors import StoreError
from etram_pipeline.events.polarity import count_polarities
from etram_pipeline.export.pictures import Painter, Picture, PictureConfig


def _check_colour(text: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise ValueError(f"{text!r} is not a colour such as '#00ff00', red, green and blue")
    return text


Colour = Annotated[str, AfterValidator(_check_colour)]
"""Red, green and blue as hexadecimal digits: `#00ff00`."""


class Config(PictureConfig):
    """Positive and negative events of a window, each in its own colour on a background.

    With the default colours, the green channel holds positive events, the blue channel negative
    ones, and the red channel is empty.

    Attributes:
        saturation: Number of events of one polarity in a pixel at which it has the full colour. For
            fewer events, the colour grows with the square root of their number.
        rising: Colour of positive events (rising brightness).
        falling: Colour of negative events (falling brightness).
        background: Colour of pixels without events.
    """

    shows_polarities: ClassVar[bool] = True

    kind: Literal["polarity"] = "polarity"
    saturation: int = Field(default=10, ge=1, le=255)
    rising: Colour = "#00ff00"
    falling: Colour = "#0000ff"
    background: Colour = "#000000"

    @override
    def build(self, channels: int, *, signed: bool) -> Painter:
        if channels % 2 and not signed:
            raise StoreError(
                f"representations of {channels} channels do not split into two polarities: set "
                "`export.picture.kind` to channels"
            )
        return Polarity(self)


class Polarity:
    """Looks up the colour of each pixel by its two counts."""

    def __init__(self, config: Config) -> None:
        self._saturation = np.uint16(config.saturation)
        self._colours = _colours(config)

    def __call__(self, frame: Integer[np.ndarray, "C H W"]) -> Picture:
        """Draw a representation."""
        rising, falling = count_polarities(frame)
        np.minimum(rising, self._saturation, out=rising)
        np.minimum(falling, self._saturation, out=falling)
        pairs = rising * (self._saturation + np.uint16(1)) + falling
        picture: Picture = self._colours.take(pairs, axis=0)
        return picture


def _colours(config: Config) -> UInt8[np.ndarray, "N 3"]:
    """Colour of each pair of counts; the count of negative events varies fastest."""
    strength = np.sqrt(np.arange(config.saturation + 1) / config.saturation)
    background = _rgb(config.background)
    rising = strength[:, None, None] * (_rgb(config.rising) - background)
    falling = strength[None, :, None] * (_rgb(config.falling) - background)
    colours = np.rint(background + rising + falling).clip(0, 255).astype(np.uint8)
    table: UInt8[np.ndarray, "N 3"] = colours.reshape(-1, 3)
    return table


def _rgb(colour: Colour) -> Float64[np.ndarray, " 3"]:
    return np.array(list(bytes.fromhex(colour.removeprefix("#"))), np.float64)

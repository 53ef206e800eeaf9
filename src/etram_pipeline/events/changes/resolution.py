"""A sensor with larger pixels."""

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from typing_extensions import override

from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.changes import EventChange


class Config(EventChange):
    """A sensor with larger pixels, whose events are shown at the size of the original.

    Of each block of pixels, the one in the middle stands for the block: its events are repeated in
    all pixels of the block, and those of the others are left out. Times, boxes and, on average, the
    number of events stay as they are. A real large pixel also sees the mean brightness of its
    area, which events alone do not tell.

    Attributes:
        block_px: Height and width of a block, in px of the sensor.
    """

    unit: ClassVar[str] = "px"
    kind: Literal["resolution"] = "resolution"
    block_px: int = Field(default=2, ge=1, le=100)

    @property
    @override
    def severity(self) -> float:
        return float(self.block_px)

    @override
    def read(
        self, recording: Recording, start_us: int, stop_us: int, seed: int
    ) -> Iterator[Events]:
        for events in recording.read(start_us, stop_us):
            yield self._enlarged(events, recording.height, recording.width)

    def _enlarged(self, events: Events, height: int, width: int) -> Events:
        side = self.block_px
        x, y = (places.astype(np.int64) // side * side for places in (events.x, events.y))
        is_middle = (events.x == np.minimum(x + side // 2, width - 1)) & (
            events.y == np.minimum(y + side // 2, height - 1)
        )
        chosen = np.flatnonzero(is_middle)
        down, right = np.divmod(np.arange(side * side), side)
        x_all = (x[chosen, None] + right).ravel()
        y_all = (y[chosen, None] + down).ravel()
        is_inside = (x_all < width) & (y_all < height)
        copied = np.repeat(chosen, side * side)[is_inside]
        return Events(
            x=x_all[is_inside].astype(np.uint16),
            y=y_all[is_inside].astype(np.uint16),
            t_us=events.t_us[copied],
            polarity=events.polarity[copied],
        )

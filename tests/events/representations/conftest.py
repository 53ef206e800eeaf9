"""Events by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from etram_pipeline.core.recording import Events

Row = tuple[int, int, int, int]
MakeEvents = Callable[[list[Row]], Events]


@pytest.fixture
def make_events() -> MakeEvents:
    """Makes events from rows `(x, y, t_us, polarity)` in order of time."""

    def make(rows: list[Row]) -> Events:
        x, y, t_us, polarity = np.array(rows, np.int64).reshape(-1, 4).T
        return Events(
            x.astype(np.uint16), y.astype(np.uint16), t_us.copy(), polarity.astype(np.uint8)
        )

    return make

"""Brightness of a stream."""

import numpy as np
import pytest

from etram_pipeline.live.brightness import Brightness


def uniform(count: int) -> np.ndarray:
    """A window with `count` events in every pixel."""
    return np.full((2, 4, 4), (count // 2), np.uint8)


def test_it_begins_with_that_of_the_first_window_with_events() -> None:
    brightness = Brightness()
    assert brightness.of(uniform(0)) == 1
    assert brightness.of(uniform(20)) == 20


def test_it_changes_slowly_and_not_without_events() -> None:
    brightness = Brightness()
    brightness.of(uniform(20))
    one_flash = [brightness.of(uniform(200)) for _ in range(9)]
    assert one_flash == [20] * 9
    later = [brightness.of(uniform(200)) for _ in range(400)]
    assert later[0] == pytest.approx(20 + 0.2 * 180)
    assert later[-1] == pytest.approx(200, rel=0.01)
    silent = [brightness.of(uniform(0)) for _ in range(100)]
    assert silent == [later[-1]] * 100

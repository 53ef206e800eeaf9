"""How often parts are read."""

import math

import numpy as np
import pytest

from etram_pipeline.clips.repetition import class_factors, frame_factors, repeated


def frames(*classes: list[int]) -> list[np.ndarray]:
    return [np.array(ids, np.uint32) for ids in classes]


def test_factors_are_those_of_the_paper() -> None:
    """Ten frames: nine show class 0, one of which twice; one class 1, two class 5."""
    shown = {
        "a": frames([0, 0], [0], [0], [0], [0, 5]),
        "b": frames([0], [0], [0], [0, 1], [5]),
    }
    found = class_factors(shown, threshold=0.4)
    assert found == {0: 1.0, 1: pytest.approx(2.0), 5: pytest.approx(math.sqrt(2))}


def test_a_frame_is_repeated_for_its_rarest_class() -> None:
    shown = {"a": frames([0, 1], [0], [], [0]), "b": frames([0])}
    found = frame_factors(shown, threshold=0.8)
    assert found["a"].tolist() == pytest.approx([2.0, 1.0, 1.0, 1.0])
    assert found["b"].tolist() == [1.0]


def test_without_boxes_nothing_is_repeated() -> None:
    assert class_factors({"a": frames([], [])}, threshold=0.5) == {}
    assert frame_factors({"a": frames([], []), "b": []}, 0.5)["a"].tolist() == [1.0, 1.0]


def test_whole_factors_leave_nothing_to_chance() -> None:
    numbers = repeated(np.array([1.0, 3.0, 2.0]), np.random.default_rng(0))
    assert sorted(numbers.tolist()) == sorted([0, 1, 1 + 3, 1 + 6, 2, 2 + 3])


def test_fractions_are_kept_on_average() -> None:
    factors = np.array([1.0, 1.25, 2.9, 1.5])
    rng = np.random.default_rng(0)
    times = [np.bincount(repeated(factors, rng) % 4, minlength=4) for _ in range(4000)]
    np.testing.assert_allclose(np.mean(times, axis=0), factors, atol=0.03)
    assert np.abs(np.array(times) - factors).max() < 1

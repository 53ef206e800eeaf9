"""How often parts are read."""

import math

import numpy as np
import pytest

from etram_pipeline.clips.repetition import class_factors, frame_factors, repeated


def frames(*classes: list[int]) -> list[np.ndarray]:
    return [np.array(ids, np.uint32) for ids in classes]


# Factors of detectron2, which filters images without boxes out before; here they count as images.
# Source: detectron2/data/samplers/distributed_sampler.py,
# `RepeatFactorTrainingSampler.repeat_factors_from_category_frequency`: the share of images that
# show a category, `f`, gives `max(1, sqrt(repeat_thresh / f))`.
@pytest.mark.parametrize(
    ("num_frames", "threshold", "factors"),
    [
        ([9, 1, 0, 2], 0.4, [1, 2, 1, math.sqrt(2)]),  # shares 0.9, 0.1, -, 0.2
        ([10, 1, 5, 2], 0.9, [1, 3, math.sqrt(1.8), math.sqrt(4.5)]),
        ([10, 1, 5, 2], 1.0, [1, math.sqrt(10), math.sqrt(2), math.sqrt(5)]),
        ([10, 1, 5, 2], 0.1, [1, 1, 1, 1]),  # the rarest class has the share 0.1
        ([0, 0, 0, 0], 0.5, [1, 1, 1, 1]),
    ],
)
def test_factors_of_classes_are_those_of_detectron2(
    num_frames: list[int], threshold: float, factors: list[float]
) -> None:
    found = class_factors(np.array(num_frames), 10, threshold)
    assert found.tolist() == pytest.approx(factors)


def test_nothing_is_repeated_where_there_are_no_frames() -> None:
    assert class_factors(np.zeros(2, np.int64), 0, 0.5).tolist() == [1, 1]


def test_a_frame_is_repeated_for_its_rarest_class() -> None:
    shown = {"a": frames([0, 1], [0], [], [0]), "b": frames([0]), "c": []}
    found = frame_factors(shown, np.array([1.0, 2.0]))
    assert found["a"].tolist() == [2.0, 1.0, 1.0, 1.0]
    assert found["b"].tolist() == [1.0]
    assert found["c"].tolist() == []


def test_whole_factors_leave_nothing_to_chance() -> None:
    numbers = repeated(np.array([1.0, 3.0, 2.0]), np.random.default_rng(0))
    assert sorted(numbers.tolist()) == sorted([0, 1, 1 + 3, 1 + 6, 2, 2 + 3])


def test_fractions_are_kept_on_average() -> None:
    factors = np.array([1.0, 1.25, 2.9, 1.5])
    rng = np.random.default_rng(0)
    times = [np.bincount(repeated(factors, rng) % 4, minlength=4) for _ in range(4000)]
    np.testing.assert_allclose(np.mean(times, axis=0), factors, atol=0.03)
    assert np.abs(np.array(times) - factors).max() < 1

"""The compiled assignment, compared with SciPy's."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from etram_pipeline.tracks.assignment import assign, overlap_of


@pytest.mark.parametrize("seed", range(3))
def test_the_sum_of_gains_is_the_largest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(500):
        shape = rng.integers(0, 9, 2)
        gain = np.where(rng.random(shape) < rng.random(), rng.random(shape), 0.0)
        partner = assign(gain)
        rows = np.flatnonzero(partner >= 0)
        gained = gain[rows, partner[rows]]
        assert len(set(partner[rows])) == len(rows)
        assert (gained > 0).all()
        assert gained.sum() == pytest.approx(gain[linear_sum_assignment(-gain)].sum(), abs=1e-12)


def test_overlaps_are_those_of_widened_boxes() -> None:
    box, beside = (10.0, 10.0, 4.0, 4.0), (14.0, 10.0, 4.0, 4.0)
    assert overlap_of(box, box, 0.0) == 1
    assert overlap_of(box, beside, 0.0) == 0
    assert overlap_of(box, beside, 0.5) == pytest.approx(4 * 8 / (2 * 64 - 4 * 8))

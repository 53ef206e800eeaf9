"""Quantiles of groups of values."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from etram_pipeline.traffic.quantiles import grouped_quantile


@settings(deadline=None, max_examples=100)
@given(
    rows=st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 5)), max_size=40),
    share=st.floats(0, 1),
)
def test_groups_have_the_quantiles_of_numpy(rows: list[tuple[float, int]], share: float) -> None:
    values = np.array([value for value, _ in rows], np.float64)
    groups = np.array([group for _, group in rows], np.int64)
    found = grouped_quantile(values, groups, 7, share)
    for group in range(7):
        own = values[groups == group]
        wanted = np.quantile(own, share) if len(own) else np.nan
        np.testing.assert_allclose(found[group], wanted, rtol=1e-9, atol=1e-6)

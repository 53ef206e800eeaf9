"""Events in arrays of any layout."""

import numpy as np
import numpy.typing as npt
import pytest
from tests.streaming.streams import (
    cut,
    cutter,
    events_at,
)


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        ("t x y p", "<i8 <u2 <u2 u1"),
        ("x y on t_us", "<i2 <i2 ? <u8"),
        ("timestamp x y polarity", "<i8 <i2 <i2 i1"),
    ],
)
def test_fields_have_the_names_that_cameras_give_them(names: str, kinds: str) -> None:
    events = events_at(range(0, 40_000, 100))
    named = np.zeros(len(events), list(zip(names.split(), kinds.split(), strict=True)))
    for name, first in zip(names.split(), (each[0] for each in names.split()), strict=True):
        named[name] = events["p" if first == "o" else first]

    (window,), (wanted,) = cut(cutter(), [named]), cut(cutter(), [events])

    np.testing.assert_array_equal(window.image, wanted.image)


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        ([("x", "<u2"), ("y", "<u2"), ("p", "u1")], "none named t or t_us or timestamp"),
        (
            [("t", "<f8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")],
            "'t' .* float64; give whole micro",
        ),
        (
            [("t", "<i8"), ("x", "<f4"), ("y", "<u2"), ("p", "u1")],
            "'x' .* float32; give whole numb",
        ),
        (np.int64, "shape .* structured array"),
    ],
)
def test_other_arrays_are_refused(dtype: npt.DTypeLike, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(cutter().push(np.zeros(3, dtype)))

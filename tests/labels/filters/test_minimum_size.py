"""Small boxes."""

from collections.abc import Callable

from etram_pipeline.labels.filters import FilterContext
from etram_pipeline.labels.filters.minimum_size import Config
from etram_pipeline.labels.table import LabelTable

MakeLabels = Callable[..., LabelTable]


def test_a_side_may_be_just_as_long_as_wanted(
    make_labels: MakeLabels, context: FilterContext
) -> None:
    labels = make_labels(w=[5, 4.99, 5, 300], h=[5, 300, 4.99, 300])

    assert Config(side_px=5).build(context)(labels)["w"].tolist() == [5, 300]


def test_a_diagonal_may_be_just_as_long_as_wanted(
    make_labels: MakeLabels, context: FilterContext
) -> None:
    labels = make_labels(w=[36, 36, 20], h=[48, 47.9, 56])

    assert Config(side_px=20, diagonal_px=60).build(context)(labels)["h"].tolist() == [48]

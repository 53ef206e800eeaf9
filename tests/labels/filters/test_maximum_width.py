"""Boxes across the whole sensor."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from etram_pipeline.labels.filters import FilterContext
from etram_pipeline.labels.filters.maximum_width import Config
from etram_pipeline.labels.table import LabelTable

MakeLabels = Callable[..., LabelTable]


@pytest.mark.parametrize(
    ("width", "fraction", "widest"), [(1280, 0.9, 1152), (304, 0.9, 273), (1230, 0.7, 861)]
)
def test_the_widest_box_is_a_share_of_the_sensor_rounded_down(
    make_labels: MakeLabels, context: FilterContext, width: int, fraction: float, widest: int
) -> None:
    labels = make_labels(w=[widest - 1, widest, widest + 0.5])
    keep = Config(fraction=fraction).build(replace(context, width=width))

    assert keep(labels)["w"].tolist() == [widest - 1, widest]


@pytest.mark.parametrize("split", ["val", "test"])
def test_other_splits_keep_wide_boxes(
    make_labels: MakeLabels, context: FilterContext, split: str
) -> None:
    keep = Config().build(replace(context, split=split))

    assert len(keep(make_labels(w=[10, 1280]))) == 2

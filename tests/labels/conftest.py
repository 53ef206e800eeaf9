"""Tables of boxes."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.labels.filters import FilterContext
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable

MakeLabels = Callable[..., LabelTable]


@pytest.fixture
def make_labels() -> MakeLabels:
    """Makes a table of as many boxes as the longest column named; other boxes are 30 x 40 px."""

    def make(**columns: npt.ArrayLike) -> LabelTable:
        num_boxes = max((np.size(values) for values in columns.values()), default=1)
        table = np.zeros(num_boxes, LABEL_DTYPE)
        table["x"], table["y"], table["w"], table["h"] = 100, 200, 30, 40
        for name, values in columns.items():
            table[name] = values
        return table

    return make


@pytest.fixture
def context() -> FilterContext:
    """Training recordings of a sensor of 720 x 1280 px that sees four classes."""
    dataset = DatasetSettings(
        height=720,
        width=1280,
        class_names=("pedestrian", "car", "bicycle", "bus"),
        class_groups={"vehicle": ("bus", "car"), "pedestrian": ("pedestrian",)},
    )
    return FilterContext(dataset, "train", height=720, width=1280)

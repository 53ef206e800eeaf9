"""Super-classes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from etram_pipeline.labels.filters import FilterContext
from etram_pipeline.labels.filters.group_classes import Config
from etram_pipeline.labels.table import LabelTable

MakeLabels = Callable[..., LabelTable]


def test_a_class_becomes_the_place_of_its_group(
    make_labels: MakeLabels, context: FilterContext
) -> None:
    # Groups: 0 vehicle (bus, car), 1 pedestrian; bicycles, class 2, are in none.
    labels = make_labels(class_id=[0, 1, 2, 3], track_id=[10, 11, 12, 13])

    grouped = Config().build(context)(labels)

    assert grouped["class_id"].tolist() == [1, 0, 0]
    assert grouped["track_id"].tolist() == [10, 11, 13]


def test_without_groups_boxes_pass_unchanged(
    make_labels: MakeLabels, context: FilterContext
) -> None:
    dataset = context.dataset.model_copy(update={"class_groups": {}})
    labels = make_labels(class_id=[0, 1, 2, 3])

    np.testing.assert_array_equal(Config().build(replace(context, dataset=dataset))(labels), labels)

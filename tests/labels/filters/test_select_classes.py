"""Some classes of all."""

from collections.abc import Callable

import pytest

from etram_pipeline.labels.filters import FilterContext
from etram_pipeline.labels.filters.select_classes import Config
from etram_pipeline.labels.table import LabelTable

MakeLabels = Callable[..., LabelTable]


def test_named_classes_are_kept_with_their_ids(
    make_labels: MakeLabels, context: FilterContext
) -> None:
    labels = make_labels(class_id=[0, 1, 2, 3, 1, 7])

    kept = Config(class_names=("bus", "car")).build(context)(labels)

    assert kept["class_id"].tolist() == [1, 3, 1]


def test_a_class_the_dataset_lacks_is_named(context: FilterContext) -> None:
    with pytest.raises(ValueError, match=r"names \['lorry'\], but the dataset has"):
        Config(class_names=("car", "lorry")).build(context)

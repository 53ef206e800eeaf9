"""What every filter promises."""

from collections.abc import Callable

import numpy as np
import pytest

from etram_pipeline.core.component import kinds
from etram_pipeline.labels import filters
from etram_pipeline.labels.filters import FilterConfig, FilterContext
from etram_pipeline.labels.table import LabelTable

MakeLabels = Callable[..., LabelTable]
PARAMETERS = {"select_classes": {"class_names": ["car", "bus"]}}


@pytest.fixture(params=kinds(filters.__name__))
def config(request: pytest.FixtureRequest) -> FilterConfig:
    parameters = PARAMETERS.get(request.param, {})
    return FilterConfig.model_validate({"kind": request.param, **parameters})


@pytest.fixture
def boxes(make_labels: MakeLabels) -> LabelTable:
    rng = np.random.default_rng(0)
    return make_labels(
        t=np.arange(300),
        x=rng.uniform(-100, 1300, 300),
        y=rng.uniform(-100, 800, 300),
        w=rng.uniform(0, 1300, 300),
        h=rng.uniform(0, 40, 300),
        class_id=rng.integers(0, 4, 300),
    )


def test_a_filter_leaves_what_it_is_given_as_it_is(
    config: FilterConfig, boxes: LabelTable, context: FilterContext
) -> None:
    before = boxes.copy()
    filtered = config.build(context)(boxes)
    filtered["w"] = -1

    np.testing.assert_array_equal(boxes, before)


def test_a_filter_keeps_order_and_dtype(
    config: FilterConfig, boxes: LabelTable, context: FilterContext
) -> None:
    filtered = config.build(context)(boxes)

    assert 0 < len(filtered) < len(boxes)
    assert filtered.dtype == boxes.dtype
    assert np.all(np.diff(filtered["t"]) > 0)


def test_a_filter_accepts_a_table_without_boxes(
    config: FilterConfig, boxes: LabelTable, context: FilterContext
) -> None:
    assert len(config.build(context)(boxes[:0])) == 0

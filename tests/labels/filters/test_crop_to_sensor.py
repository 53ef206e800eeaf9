"""Boxes at the border of the sensor."""

from collections.abc import Callable

import numpy as np
import pytest

from etram_pipeline.labels.filters import FilterContext
from etram_pipeline.labels.filters.crop_to_sensor import Config
from etram_pipeline.labels.table import LabelTable

MakeLabels = Callable[..., LabelTable]


@pytest.mark.parametrize(
    ("box", "wanted"),
    [
        pytest.param((10, 20, 30, 40), (10, 20, 30, 40), id="inside"),
        pytest.param((-10, -20, 30, 40), (0, 0, 20, 20), id="over the top left"),
        pytest.param((1270, 710, 30, 40), (1270, 710, 9, 9), id="over the bottom right"),
        pytest.param((0, 0, 1280, 720), (0, 0, 1279, 719), id="the whole sensor"),
    ],
)
def test_boxes_end_at_the_outermost_pixels(
    make_labels: MakeLabels,
    context: FilterContext,
    box: tuple[float, ...],
    wanted: tuple[float, ...],
) -> None:
    labels = make_labels(**dict(zip("xywh", box, strict=True)))

    cut = Config().build(context)(labels)

    assert [cut[side].item() for side in "xywh"] == list(wanted)


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((1279, 0, 30, 40), id="beyond the right"),
        pytest.param((-40, 0, 30, 40), id="beyond the left"),
        pytest.param((10, 10, 0, 40), id="flat"),
        pytest.param((10, 10, -5, 40), id="reversed"),
        pytest.param((np.nan, 10, 30, 40), id="nowhere"),
    ],
)
def test_boxes_without_any_area_inside_are_dropped(
    make_labels: MakeLabels, context: FilterContext, box: tuple[float, ...]
) -> None:
    labels = make_labels(**dict(zip("xywh", box, strict=True)))

    assert len(Config().build(context)(labels)) == 0


def test_corners_are_added_up_in_single_precision(
    make_labels: MakeLabels, context: FilterContext
) -> None:
    x, w = np.float32(1000.1), np.float32(0.3)

    cut = Config().build(context)(make_labels(x=x, w=w))

    assert cut["w"].item() == np.float32(x + w) - x

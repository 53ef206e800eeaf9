"""Scenes with headline and legend."""

from collections.abc import Callable

import numpy as np
import pytest

from etram_pipeline.drawing import palette
from etram_pipeline.drawing.annotation import AnnotatedWindow, Annotator
from etram_pipeline.drawing.render import RgbImage
from etram_pipeline.labels.frames import LabelledFrames

CLASSES = ("car", "tram")


@pytest.fixture
def draw(
    make_detections: Callable[..., np.ndarray], make_labels: Callable[..., LabelledFrames]
) -> Callable[..., RgbImage]:
    """Draws a scene of a sensor of 200 x 400 px at half resolution, enlarged four times."""

    def make(
        *detections: tuple[float, ...],
        labels: tuple[tuple[float, ...], ...] | None = None,
        recording: str = "test/test_day_0001",
    ) -> RgbImage:
        truth = None if labels is None else make_labels([0], *labels)[0]
        scene = AnnotatedWindow(
            frame=np.zeros((2, 100, 200), np.uint8),
            recording=recording,
            time_us=0,
            detections=make_detections(*detections),
            labels=truth,
            downsampled_by=2,
        )
        return Annotator(CLASSES, scale=4).draw(scene)

    return make


def _pixels(image: RgbImage, colour: str) -> np.ndarray:
    return np.argwhere((image == palette.rgb(colour)).all(axis=2))


def test_detection_in_sensor_px_is_drawn_where_its_events_are(
    draw: Callable[..., RgbImage],
) -> None:
    image = draw((0, 100, 120, 80, 40, 1, 0.9))
    headline = 30
    box = _pixels(image[headline : headline + 400], palette.class_colour(1))
    below_tag = box[box[:, 0] > 2 * 120]  # half resolution, four times enlarged
    assert (below_tag[:, 1].min(), below_tag[:, 1].max()) == (2 * 100, 2 * 180 - 1)
    assert below_tag[:, 0].max() == 2 * 160 - 1


def test_ground_truth_is_outlined_white_and_absent_truth_is_not(
    draw: Callable[..., RgbImage],
) -> None:
    with_labels = draw(labels=((0, 100, 120, 80, 40, 0),))
    assert len(_pixels(with_labels, palette.LABEL)) > 50
    assert len(_pixels(draw(), palette.LABEL)) == 0


def test_scenes_of_one_size_make_pictures_of_one_size(draw: Callable[..., RgbImage]) -> None:
    busy = draw(*[(0, 10 * i, 50, 30, 30, i % 2, 0.5) for i in range(12)], labels=())
    long_name = draw(recording="test/" + "very_long_name_" * 20)
    assert busy.shape == long_name.shape == draw().shape


def test_class_without_a_name_is_drawn_all_the_same(draw: Callable[..., RgbImage]) -> None:
    assert (draw((0, 100, 120, 80, 40, 7, 0.9)) != draw()).any()


def test_legend_of_many_classes_takes_as_many_rows_as_it_needs(
    make_detections: Callable[..., np.ndarray],
) -> None:
    scene = AnnotatedWindow(np.zeros((2, 100, 200), np.uint8), "a", 0, make_detections(), None, 1)
    heights = [
        Annotator([f"class number {n}" for n in range(num)], scale=4).draw(scene).shape[0]
        for num in (2, 20)
    ]
    assert heights[1] >= heights[0] + 2 * 24

"""How the classes of a detector are called."""

import logging
from pathlib import Path

import pytest

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.models.checkpoint import Checkpoint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.pipelines.predict.nodes import class_names_of

ROAD = DatasetSettings(height=72, width=128, class_names=("pedestrian", "car", "bicycle", "bus"))
NANO = DetectorConfig.model_validate(
    {"kind": "rvt", "backbone": {"kind": "maxvit", "embed_dim": 8, "attention": {"dim_head": 8}}}
)


def names(
    num_classes: int, known: tuple[str, ...] = (), given: tuple[str, ...] | None = None
) -> tuple[str, ...]:
    detector = NANO.build(2, num_classes)
    trained = Checkpoint(detector, NANO, 2, known, num_classes)
    return class_names_of(trained, Path("rvt.ckpt"), ROAD, PredictSettings(class_names=given))


def test_a_detector_that_names_its_classes_is_believed() -> None:
    assert names(2, ("van", "tram"), ("a", "b", "c")) == ("van", "tram")


def test_other_numbers_of_classes_are_shown_as_numbers(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert names(3) == ("0", "1", "2")
    assert "rvt.ckpt does not name its 3 classes: assumed to be 0, 1, 2" in caplog.text
    assert "set predict.class_names" in caplog.text


def test_as_many_classes_as_the_dataset_has_are_taken_for_these_aloud(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert names(4) == ROAD.class_names
    assert (
        "assumed to be pedestrian, car, bicycle, bus (dataset.class_names has as many)"
        in caplog.text
    )


def test_classes_can_be_named(caplog: pytest.LogCaptureFixture) -> None:
    assert names(3, given=("a", "b", "c")) == ("a", "b", "c")
    assert not caplog.text
    with pytest.raises(SettingsError, match=r"has 2 names, but rvt\.ckpt distinguishes 3 classes"):
        names(3, given=("a", "b"))

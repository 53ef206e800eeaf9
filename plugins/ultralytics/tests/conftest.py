"""Small models of Ultralytics for the tests of all detectors, which come from the core."""

import pytest
from tests.models.conftest import _same_weights_every_time, build, make_batch
from tests.training.conftest import record, settings

from etram_pipeline.models.detector import Detector
from etram_pipeline.models.detectors import DetectorConfig

__all__ = ["_same_weights_every_time", "build", "make_batch", "record", "settings"]

CHOICES = [
    {"model": "yolo11n"},
    {"model": "yolov8n", "input_size": (64, 96), "count_scale": 10.0},
]


@pytest.fixture(params=CHOICES, ids=str)
def any_config(request: pytest.FixtureRequest) -> DetectorConfig:
    return DetectorConfig.model_validate({"kind": "ultralytics"} | request.param)


@pytest.fixture
def any_detector(any_config: DetectorConfig) -> Detector:
    return any_config.build(4, 3)

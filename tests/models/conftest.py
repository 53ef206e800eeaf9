"""Small detectors and batches."""

from collections.abc import Callable, Iterator

import pytest
import torch
from tests.models.detector_choices import CHOICES, SMALL

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.models.attention import AttentionSettings
from etram_pipeline.models.backbones import maxvit
from etram_pipeline.models.checkpoint import (
    Checkpoint,
)
from etram_pipeline.models.classes import TrainingClasses
from etram_pipeline.models.detector import Detector
from etram_pipeline.models.detectors import DetectorConfig, rvt
from etram_pipeline.models.lanes import use_cores
from etram_pipeline.models.necks import pafpn

NUM_CHANNELS, NUM_CLASSES = 4, 3

Build = Callable[[DetectorConfig], Detector]
MakeBatch = Callable[..., SequenceBatch]


@pytest.fixture(autouse=True)
def _same_weights_every_time() -> Iterator[None]:
    torch.manual_seed(0)
    num_threads = torch.get_num_threads()
    use_cores(0)
    torch.set_num_threads(1)  # more would wait for each other longer than such small maps take
    yield
    torch.set_num_threads(num_threads)


@pytest.fixture
def config() -> rvt.Config:
    """Settings of a detector small enough for a test."""
    attention = AttentionSettings(dim_head=4, layer_scale=0.1)
    return rvt.Config(
        backbone=maxvit.Config(embed_dim=8, attention=attention),
        neck=pafpn.Config(num_bottlenecks=1),
    )


@pytest.fixture
def build() -> Build:
    """Makes detectors of three classes that fit the batches."""
    return lambda config: config.build(NUM_CHANNELS, NUM_CLASSES)


@pytest.fixture
def detector(config: rvt.Config) -> rvt.RVT:
    """A small detector in evaluation mode."""
    return config.build(NUM_CHANNELS, NUM_CLASSES).eval()


@pytest.fixture
def make_batch() -> MakeBatch:
    """Makes batches of random events, with two keyframes of two objects each."""

    def make(
        *,
        num_windows: int = 2,
        height: int = 64,
        width: int = 64,
        keyframes: tuple[tuple[int, int], ...] = ((0, 0), (1, 1)),
        starts: tuple[bool, ...] = (True, True),
    ) -> SequenceBatch:
        boxes = torch.tensor([[4.0, 6.0, 30.0, 28.0], [20.0, 20.0, 60.0, 50.0]])
        masks = torch.zeros(2, height, width, dtype=torch.bool)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
            mask[y1:y2, x1:x2] = True
        target = Targets(boxes, torch.tensor([0, 2]), masks, torch.tensor([7, 5]))
        size = (num_windows, len(starts), NUM_CHANNELS, height, width)
        return SequenceBatch(
            frames=torch.randint(0, 10, size, dtype=torch.uint8),
            starts=torch.tensor(starts),
            keyframes=torch.tensor(keyframes, dtype=torch.int64).view(-1, 2),
            targets=(target,) * len(keyframes),
        )

    return make


@pytest.fixture
def checkpoint(detector: rvt.RVT, config: rvt.Config) -> Checkpoint:
    return Checkpoint(
        detector=detector,
        detector_config=config,
        in_channels=4,
        class_names=("pedestrian", "car", "tram"),
        encoding=EncodingSettings.model_validate(
            {
                "windows": {"kind": "label_aligned", "step_ms": 25},
                "representation": {"kind": "stacked_histogram", "bins": 2},
            }
        ),
        downsampled_by=2,
        dataset_fingerprint="0123456789abcdef",
        mlflow_run_id="f00",
    )


@pytest.fixture(params=CHOICES, ids=str)
def any_config(request: pytest.FixtureRequest, config: rvt.Config) -> DetectorConfig:
    """Every detector, and RVT with every part, everything else as small as `config`."""
    small = {"rvt": config.model_dump(serialize_as_any=True), **SMALL}
    given = small.get(str(request.param["kind"]), {}) | request.param
    config_of_any = DetectorConfig.model_validate(given)
    return config_of_any.for_classes(TrainingClasses(("car", "tram", "bus"), (100, 0, 7)))


@pytest.fixture
def any_detector(any_config: DetectorConfig, build: Build) -> Detector:
    return build(any_config)

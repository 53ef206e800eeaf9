"""One training step, one validation step."""

from collections.abc import Callable

import pytest
import torch
from pytorch_lightning import Trainer

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.models.detector import Detector
from etram_pipeline.training.data import ClipData, LabelledRecordings
from etram_pipeline.training.fit import Blueprint
from etram_pipeline.training.module import DetectionModule
from etram_pipeline.training.scoring import ValidationScore
from etram_pipeline.training.settings import TrainSettings
from etram_pipeline.training.trainer import quiet_lightning

Record = Callable[..., LabelledRecordings]


class Spy(torch.nn.Module):
    """Passes a detector on, and remembers the states it is handed."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector
        self.learning: list[tuple[torch.Tensor, ...]] = []
        self.detecting: list[tuple[torch.Tensor, ...]] = []

    def losses(self, batch: SequenceBatch, state: tuple[torch.Tensor, ...]) -> object:
        self.learning.append(state)
        return self.detector.losses(batch, state)

    def detect(
        self, batch: SequenceBatch, state: tuple[torch.Tensor, ...], suppression: object
    ) -> object:
        self.detecting.append(state)
        return self.detector.detect(batch, state, suppression)  # type: ignore[arg-type]


@pytest.fixture
def spied(record: Record, blueprint: Blueprint, settings: TrainSettings) -> Spy:
    """A detector after four steps, a validation and four more steps."""
    val = record(2, first_seed=7)
    score = ValidationScore(
        {name: frame.labels for name, frame in val.labels.items()},
        dict.fromkeys(val.frames, 1),
        blueprint.class_names,
        "coco",
    )
    module = DetectionModule(blueprint.detector.build(2, 2), settings, score, {})
    spy = Spy(module.detector)
    module.__dict__["_modules"]["detector"] = spy
    trainer = Trainer(
        accelerator="cpu",
        max_steps=8,
        val_check_interval=4,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with quiet_lightning():
        trainer.fit(module, datamodule=ClipData(record(3), val, settings))
    return spy


def test_each_lane_goes_on_with_its_own_state(spied: Spy) -> None:
    assert [len(state) for state in spied.learning] == [0, *[1] * 7]
    assert all(len(memory) == 2 for state in spied.learning for memory in state)


def test_no_gradient_flows_back_into_the_former_clip(spied: Spy) -> None:
    assert not any(memory.requires_grad for state in spied.learning for memory in state)


def test_every_validation_begins_without_a_state_and_leaves_that_of_training_alone(
    spied: Spy,
) -> None:
    per_validation = len(spied.detecting) // 2
    begins = [len(state) == 0 for state in spied.detecting]
    assert begins == ([True] + [False] * (per_validation - 1)) * 2
    assert len(spied.learning[4]) == 1

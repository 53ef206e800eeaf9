"""What detectors promise to every auxiliary task."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from typing_extensions import override

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.auxiliaries import Auxiliary, LearningStep
from etram_pipeline.models.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from etram_pipeline.models.detector import Detector, Losses, State, total_loss
from etram_pipeline.models.detectors import DetectorConfig, rvt, yolox
from etram_pipeline.models.predictions import Predictions

MakeBatch = Callable[..., SequenceBatch]
EVERYTHING = SuppressionSettings(score_threshold=0, iou_threshold=1)
SEEN = (96, 32)


class Observer(Auxiliary):
    """Counts batches in a map of each lane, and keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.seen: list[LearningStep] = []

    @override
    def num_memories(self, step: LearningStep) -> int:
        return 1

    @override
    def forward(self, step: LearningStep, state: State) -> tuple[Losses, State]:
        self.seen.append(step)
        lanes = len(step.batch.starts)
        (before,) = state or (torch.zeros(lanes, 1, 2, 2),)
        return {"observed": self.weight * step.maps[0].mean()}, (before + 1,)


@pytest.fixture(params=["rvt", "rvt resizing", "yolox", "yolox resizing"])
def helped(request: pytest.FixtureRequest, config: rvt.Config) -> Detector:
    """A detector that an observer helps to learn."""
    of_kind: dict[str, DetectorConfig] = {
        "rvt": config,
        "yolox": yolox.Config(backbone="lcnet_050", count_scale=10.0),
    }
    kind, *resizes = request.param.split()
    size = {"input_size": SEEN} if resizes else {}
    detector = of_kind[kind].model_copy(update=size).build(4, 3)
    detector.auxiliary = Observer()
    return detector.eval()


def steps(detector: Detector) -> list[LearningStep]:
    observer = detector.auxiliary
    assert isinstance(observer, Observer)
    return observer.seen


def last_anchor(predictions: Predictions) -> list[float]:
    """Centre of the cell at the bottom on the right."""
    corner: list[float] = predictions.anchors.centres_xy.amax(0).tolist()
    return corner


def last_cell(detector: Detector, height: int, width: int) -> list[float]:
    """Centre of the last cell of 8 px of frames that are padded."""
    multiple = detector.size_multiple
    return [math.ceil(length / multiple) * multiple - 4 for length in (width, height)]


def of_lanes(memory: Tensor) -> list[float]:
    return [float(value) for value in memory[:, 0, 0, 0]]


def test_memories_of_a_task_follow_those_of_the_detector(
    helped: Detector, make_batch: MakeBatch
) -> None:
    _, state = helped.losses(make_batch(), ())
    with torch.no_grad():
        _, own = helped.detect(make_batch(), (), EVERYTHING)
    assert len(state) == len(own) + 1
    assert of_lanes(state[-1]) == [1, 1]
    going_on = make_batch(starts=(False, True), keyframes=())
    losses, state = helped.losses(going_on, state)
    assert of_lanes(state[-1]) == [2, 1]
    assert total_loss(losses) == 0
    total_loss(losses).backward()
    assert all(weight.grad is not None for weight in helped.parameters())
    assert [step.num_memories for step in steps(helped)] == [len(own)] * 2


def test_detecting_with_the_state_of_a_training_leaves_the_task_out(
    helped: Detector, make_batch: MakeBatch
) -> None:
    _, state = helped.losses(make_batch(), ())
    later = make_batch(starts=(False, False))
    with torch.no_grad():
        found, after = helped.detect(later, state, EVERYTHING)
        expected, own = helped.detect(later, state[:-1], EVERYTHING)
    assert len(after) == len(own) == len(state) - 1
    assert all(torch.equal(a.scores, b.scores) for a, b in zip(found, expected, strict=True))


def test_tasks_see_the_image_that_the_network_sees(helped: Detector, make_batch: MakeBatch) -> None:
    batch = make_batch()
    helped.losses(batch, ())
    (step,) = steps(helped)
    assert step.size == (helped.input_size or (64, 64))
    scale = torch.tensor([step.size[1], step.size[0]] * 2) / 64
    for seen, target in zip(step.targets, batch.targets, strict=True):
        torch.testing.assert_close(seen.boxes_xyxy, target.boxes_xyxy * scale)
        assert seen.track_ids is target.track_ids
    assert last_anchor(step.predictions) == last_cell(helped, *step.size)


def test_a_clip_is_seen_at_another_size_by_the_same_detector(
    helped: Detector, make_batch: MakeBatch
) -> None:
    batch = make_batch()
    helped.losses(batch, ())
    (step,) = steps(helped)
    same, state = step.predict(step.size, ())
    torch.testing.assert_close(same, step.predictions)
    assert len(state) == step.num_memories
    larger, after = step.predict((100, 200), ())
    assert last_anchor(larger) == last_cell(helped, 100, 200)
    continued, _ = step.predict((100, 200), after)
    assert torch.equal(continued.objectness_logits, larger.objectness_logits) == (not after)


def test_a_task_without_settings_leaves_written_settings_as_they_were(
    tmp_path: Path, make_batch: MakeBatch
) -> None:
    config = yolox.Config(backbone="lcnet_050")
    assert "auxiliary" not in config.model_dump(serialize_as_any=True)
    helped = yolox.Config.model_validate(
        {"backbone": "lcnet_050", "auxiliary": {"kind": "small_objects"}}
    )
    detector = helped.build(4, 3).eval()
    write_checkpoint(tmp_path / "helped.ckpt", Checkpoint(detector, helped, 4, ("a", "b", "c")))
    read = read_checkpoint(tmp_path / "helped.ckpt")
    assert read.detector_config == helped
    losses, _ = read.detector.train().losses(make_batch(), ())
    assert losses["small_objectness"] > 0
    alone = replace(make_batch(), targets=())
    with torch.no_grad():
        found, _ = read.detector.eval().detect(alone, (), EVERYTHING)
    assert len(found) == 2

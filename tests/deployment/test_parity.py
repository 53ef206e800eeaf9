"""Whether an exported file is told apart from a detector that computes something else."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Shaped
from tests.exported import CELL_PX, ENCODING, KEPT, describe, some_windows, write_exported
from torch import Tensor
from torch.nn.functional import avg_pool2d
from typing_extensions import override

from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.core.errors import ParityError
from etram_pipeline.deployment import parity
from etram_pipeline.deployment.differences import largest_difference
from etram_pipeline.deployment.parity import check_parity
from etram_pipeline.deployment.settings import ParitySettings
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.boxes import xyxy_to_cxcywh
from etram_pipeline.models.checkpoint import Checkpoint
from etram_pipeline.models.detector import Detector, Losses, State
from etram_pipeline.models.postprocess import keep_visible, suppress
from etram_pipeline.models.predictions import WindowPredictions
from etram_pipeline.streaming.model import ExportedModel, Memories
from etram_pipeline.streaming.selection import RawPredictions


class Activity(Detector):
    """What the file of `tests.exported` computes; its fields make it err."""

    def __init__(self, *, kept: float = KEPT, moved_px: float = 0, doubt: float = 0) -> None:
        super().__init__()
        self.kept, self.moved_px, self.doubt = kept, moved_px, doubt

    @override
    def losses(self, batch: SequenceBatch, state: State) -> tuple[Losses, State]:
        return {}, state

    @override
    def predict_window(
        self, frames: Shaped[Tensor, "B C H W"], state: State
    ) -> tuple[WindowPredictions, State]:
        active = avg_pool2d(frames.float().sum(1, keepdim=True), CELL_PX)
        memory = active + (self.kept * state[0] if state else 0)
        lanes, _, rows, columns = memory.shape
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        corners = torch.stack([x, y], -1).flatten(0, 1) * CELL_PX + self.moved_px
        boxes = torch.cat([corners, corners + CELL_PX], -1).float().expand(lanes, -1, -1)
        classes = torch.eye(3)[torch.arange(rows * columns) % 3] * 0.9
        objectness = memory.reshape(lanes, -1, 1).tanh() - self.doubt
        return WindowPredictions(boxes, objectness, classes.expand(lanes, -1, -1)), (memory,)

    @override
    def detect(
        self, batch: SequenceBatch, state: State, suppression: SuppressionSettings
    ) -> tuple[list[Detections], State]:
        found, after = self.predict_window(batch.frames[0], state)
        stacked = torch.cat(
            [xyxy_to_cxcywh(found.boxes_xyxy), found.objectness, found.class_scores], -1
        )
        height, width = batch.frames.shape[-2:]
        return [
            keep_visible(each, height, width, suppression.max_detections)
            for each in suppress(stacked, suppression)
        ], after


def checkpoint_of(detector: Detector) -> Checkpoint:
    return Checkpoint(detector, None, 4, ("pedestrian", "car", "tram"), 3, ENCODING, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    about = describe(suppression={"score_threshold": 0.1})
    return write_exported(tmp_path / "detector.onnx", about)


def test_equal_detectors_agree_window_after_window(path: Path) -> None:
    stretches = [some_windows(4), some_windows(9)]

    found = check_parity(checkpoint_of(Activity()), path, stretches, ParitySettings(windows=6))

    assert found.windows == 6
    assert found.detections > 50
    assert max(found.boxes_px, found.scores, found.memories, found.kept_scores) < 1e-5
    assert found.numbers()["deploy/parity/windows"] == 6


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        (Activity(kept=0.6), r"in window [2-6], objectness differ by .*; memories"),
        (
            Activity(moved_px=0.2),
            r"boxes differ by 0\.2 px, .*; in window 1, \d+ detections without",
        ),
        (Activity(moved_px=0.02), r"boxes differ by 0\.02 px, but deploy\.parity\.boxes_px allows"),
        (
            Activity(doubt=0.0002),
            r"objectness differ by 0\.0002, but deploy\.parity\.scores allows",
        ),
    ],
    ids=["memory", "detections", "boxes", "scores"],
)
def test_the_output_that_differs_most_is_named(
    path: Path, detector: Detector, message: str
) -> None:
    with pytest.raises(ParityError, match=message):
        check_parity(checkpoint_of(detector), path, [some_windows(6)], ParitySettings())


def test_wider_limits_let_a_detector_pass(path: Path) -> None:
    settings = ParitySettings(boxes_px=0.1)

    found = check_parity(checkpoint_of(Activity(moved_px=0.02)), path, [some_windows(6)], settings)

    assert found.boxes_px == pytest.approx(0.02, rel=1e-3)


def test_a_detector_that_finds_nothing_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    about = describe(suppression={"score_threshold": 0.95})
    path = write_exported(tmp_path / "detector.onnx", about)

    with caplog.at_level(logging.WARNING):
        found = check_parity(checkpoint_of(Activity()), path, [some_windows(2)], ParitySettings())

    assert found.detections == 0
    assert "found nothing that scores at least 0.95 in 2 windows" in caplog.text


def test_without_windows_nothing_is_compared(path: Path) -> None:
    with pytest.raises(ValueError, match="there is no window to compare"):
        check_parity(checkpoint_of(Activity()), path, [], ParitySettings())


def test_a_fixed_number_of_lanes_is_compared(tmp_path: Path) -> None:
    about = describe(suppression={"score_threshold": 0.1})
    path = write_exported(tmp_path / "detector.onnx", about, lanes=3)

    check_parity(checkpoint_of(Activity()), path, [some_windows(4)], ParitySettings())


class Forgetful(ExportedModel):
    """Answers every call a little otherwise than the one before."""

    calls = 0

    @override
    def run(
        self, frames: Shaped[np.ndarray, "B C H W"], memories: Memories
    ) -> tuple[RawPredictions, Memories]:
        Forgetful.calls += 1
        raw, after = super().run(frames, memories)
        changed = raw.objectness + np.float32(1e-7 * Forgetful.calls)
        return RawPredictions(raw.boxes_xyxy, changed, raw.class_scores), after


class Mixing(ExportedModel):
    """Lets lanes see each other."""

    @override
    def run(
        self, frames: Shaped[np.ndarray, "B C H W"], memories: Memories
    ) -> tuple[RawPredictions, Memories]:
        return super().run(np.repeat(frames[:1], len(frames), axis=0), memories)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Forgetful, "shown again to an empty memory, are answered otherwise"),
        (Mixing, r"a lane is computed otherwise among 2 than alone: in window \d, objectness"),
    ],
)
def test_resets_and_lanes_are_checked(
    path: Path, monkeypatch: pytest.MonkeyPatch, broken: type[ExportedModel], message: str
) -> None:
    monkeypatch.setattr(parity, "ExportedModel", broken)

    with pytest.raises(ParityError, match=message):
        check_parity(checkpoint_of(Activity()), path, [some_windows(6)], ParitySettings())


def test_what_is_not_a_number_differs_from_everything_else() -> None:
    nothing, infinite = np.array([np.nan]), np.array([np.inf])

    assert largest_difference(nothing, np.array([1.0])) == np.inf
    assert largest_difference(infinite, infinite) == 0
    assert largest_difference(np.array([1.0, 3.0]), np.array([1.5, 3.0])) == 0.5

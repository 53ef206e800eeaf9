"""What every part of a training promises; `parts.py` lists them."""

from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path

import pytest
import torch
from tests.training.parts import PARTS, Changes
from tests.training.runs import At, PowerCutError, assert_same_training, changed, fail, weights
from typing_extensions import override

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.training.checkpoints import BEST, LAST
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.history import HISTORY, read_history
from etram_pipeline.training.settings import TrainSettings

SMALL = {
    "kind": "rvt",
    "backbone": {
        "kind": "maxvit",
        "embed_dim": 8,
        "dim_multipliers": [1, 2, 2, 2],
        "partition_split": 1,
        "attention": {"dim_head": 8},
    },
    "neck": {"kind": "pafpn", "num_bottlenecks": 1},
}
"""A recurrent vision transformer of the smallest size that fits 32 px."""

Train = Callable[..., Path]


class Metrics(At):
    """Names and values that a logger of a training gets."""

    def __init__(self) -> None:
        super().__init__(0, lambda: None)
        self.logged: dict[str, float] = {}

    @override
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.logged |= metrics


TRAINED: dict[str, tuple[Path, Metrics]] = {}
"""Folder and metrics of the trainings so far, by name of the part."""


@pytest.fixture
def train(record: Callable[..., LabelledRecordings], settings: TrainSettings) -> Train:
    """Trains four steps, with two labelled windows in each clip."""

    def run(folder: Path, detector: Changes, changes: Changes, *loggers: At) -> Path:
        given = detector if "kind" in detector else SMALL | dict(detector)
        blueprint = Blueprint(
            detector=DetectorConfig.model_validate(given), class_names=("box", "other")
        )
        of_run = changed(settings, **{"max_steps": 4, **changes})
        fit(record(2), record(1, num_windows=4), blueprint, of_run, folder, loggers)
        return folder

    return run


@pytest.fixture
def trained(
    train: Train, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Path, Metrics]]:
    """A training with a part in one go, or without any part (`""`)."""

    def once(name: str) -> tuple[Path, Metrics]:
        if name not in TRAINED:
            part, metrics = PARTS.get(name), Metrics()
            folder = tmp_path_factory.mktemp(name or "plain")
            changes = (part.detector, part.train) if part else ({}, {})
            TRAINED[name] = train(folder, *changes, metrics), metrics
        return TRAINED[name]

    return once


Trained = Callable[[str], tuple[Path, Metrics]]


@pytest.mark.parametrize("name", PARTS)
def test_a_training_that_is_stopped_and_continued_gives_the_same_to_the_last_bit(
    train: Train, trained: Trained, tmp_path: Path, name: str
) -> None:
    part = PARTS[name]
    with pytest.raises(PowerCutError):
        train(tmp_path, part.detector, part.train, At(3, fail))
    assert torch.load(tmp_path / LAST)["global_step"] == 2
    train(tmp_path, part.detector, part.train)
    assert_same_training(tmp_path, trained(name)[0])


@pytest.mark.parametrize("name", PARTS)
def test_a_checkpoint_detects_by_itself_and_the_same_when_it_is_saved_again(
    trained: Trained, tmp_path: Path, name: str
) -> None:
    read = read_checkpoint(trained(name)[0] / BEST)
    write_checkpoint(tmp_path / "again.ckpt", read)
    again = read_checkpoint(tmp_path / "again.ckpt")
    assert again.detector_config == read.detector_config
    scores = [_scores(each) for each in (read, again)]
    assert len(scores[0]) > 0
    assert torch.equal(*scores)


def _scores(checkpoint: Checkpoint) -> torch.Tensor:
    frames = torch.arange(2 * 2 * 32 * 32).reshape(2, 1, 2, 32, 32) % 7
    batch = SequenceBatch(frames, torch.tensor([True]), torch.tensor([[0, 0], [1, 0]]))
    with torch.inference_mode():
        found, _ = checkpoint.detector.detect(batch, (), SuppressionSettings(score_threshold=0))
    return torch.cat([each.scores for each in found])


@pytest.mark.parametrize("name", PARTS)
def test_its_values_are_logged_like_the_losses(trained: Trained, name: str) -> None:
    folder, metrics = trained(name)
    expected = PARTS[name].metrics | {"train/loss", "train/iou", "train/objectness", "train/class"}
    assert expected <= metrics.logged.keys()
    assert all(isfinite(metrics.logged[each]) for each in expected)
    assert expected <= {each for _, each, _ in read_history(folder / HISTORY)}


@pytest.mark.parametrize("name", [each for each in PARTS if PARTS[each].without_effect is not None])
def test_without_effect_it_trains_as_if_it_were_not_there(
    train: Train, trained: Trained, tmp_path: Path, name: str
) -> None:
    part = PARTS[name]
    train(tmp_path, part.without_effect, part.train)
    found, expected = (weights(folder / LAST) for folder in (tmp_path, trained("")[0]))
    assert all(torch.equal(found[each], value) for each, value in expected.items())

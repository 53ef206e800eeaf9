"""Trainings on recordings of two sizes, and what each size's lanes remember."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.training.runs import At, PowerCutError, assert_same_training, changed, fail

from etram_pipeline.clips.representations import RepresentationsInMemory
from etram_pipeline.training.checkpoints import BEST, LAST
from etram_pipeline.training.data import ClipData, LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.memory import LaneMemory
from etram_pipeline.training.settings import TrainSettings

Record = Callable[..., LabelledRecordings]
CPU = torch.device("cpu")


def widened(recordings: LabelledRecordings, names: set[str]) -> LabelledRecordings:
    """The same recordings, some of them by a sensor that is half as wide again."""
    frames = dict(recordings.frames)
    for name in names:
        narrow = frames[name]
        assert isinstance(narrow, RepresentationsInMemory)
        extra = np.zeros((*narrow.images.shape[:3], narrow.width // 2), np.uint8)
        frames[name] = replace(narrow, images=np.concatenate([narrow.images, extra], axis=3))
    return LabelledRecordings(frames, recordings.labels)


@pytest.fixture
def mixed(record: Record) -> tuple[LabelledRecordings, LabelledRecordings]:
    """Recordings to train on and to validate on, of two sizes each."""
    val = record(2, first_seed=7)
    return widened(record(4), {"train/r1"}), widened(val, {"train/r8"})


@pytest.mark.parametrize("sampling", ["stream", "random", "mixed"])
def test_two_sizes_are_trained_on_and_continued_to_the_last_bit(
    mixed: tuple[LabelledRecordings, LabelledRecordings],
    blueprint: Blueprint,
    settings: TrainSettings,
    tmp_path: Path,
    sampling: str,
) -> None:
    settings = changed(settings, sampling={"kind": sampling})
    fit(*mixed, blueprint, settings, tmp_path / "whole")
    with pytest.raises(PowerCutError):
        fit(*mixed, blueprint, settings, tmp_path / "parts", [At(5, fail)])
    fit(*mixed, blueprint, settings, tmp_path / "parts")
    assert_same_training(tmp_path / "parts", tmp_path / "whole")
    assert (tmp_path / "whole" / BEST).exists()
    (own,) = torch.load(tmp_path / "whole" / LAST, weights_only=True)["processes"]["each"]
    assert sorted(size[:2] for size in own["sizes"]) == [[32, 32], [32, 48]]
    assert len(own["lanes"]) == 2
    assert not torch.equal(*own["lanes"])


def test_a_batch_holds_one_size_and_each_size_its_share(
    mixed: tuple[LabelledRecordings, LabelledRecordings], settings: TrainSettings
) -> None:
    train, val = mixed
    data = ClipData(train, val, changed(settings, max_steps=40))
    widths = [batch.frames.shape[-1] for batch in data.train_dataloader()]
    assert widths.count(48) == 10
    assert widths[:8].count(48) == 2
    seen = [batch.recordings for batch in data.val_dataloader()]
    assert {name for names in seen for name in names if name} == {"train/r7", "train/r8"}
    assert all(len({name for name in names if name}) == 1 for names in seen)


def test_one_size_is_read_as_if_there_were_no_others(
    record: Record, settings: TrainSettings
) -> None:
    train = record(3)
    data = ClipData(train, record(1), settings)
    found = [batch.recordings for batch in data.train_dataloader()]
    alike = widened(train, set(train.frames))
    others = ClipData(alike, record(1), settings).train_dataloader()
    assert found == [batch.recordings for batch in others]


def test_each_size_has_a_memory_of_its_own() -> None:
    memory = LaneMemory()
    assert memory.before((8, 8), 5) == ((), 4)
    ones = torch.ones(2, requires_grad=True)
    memory.keep((8, 8), 5, (ones * 2, ones))
    memory.keep((8, 9), 6, (ones * 3,))
    state, last = memory.before((8, 8), 9)
    assert last == 5
    assert [one.tolist() for one in state] == [[2, 2], [1, 1]]
    assert not state[0].requires_grad
    again = LaneMemory()
    again.restore(memory.saved(), CPU)
    for size, number in (((8, 8), 5), ((8, 9), 6)):
        state, last = again.before(size, 20)
        assert last == number
        assert all(map(torch.equal, state, memory.before(size, 20)[0]))


def test_the_memory_of_an_earlier_version_is_that_of_its_only_size() -> None:
    memory = LaneMemory()
    memory.restore({"lanes": (torch.ones(3),)}, CPU)
    state, last = memory.before((4, 4), 7)
    assert (state[0].tolist(), last) == ([1, 1, 1], 6)
    memory.keep((4, 4), 7, (torch.zeros(3),))
    assert memory.before((4, 4), 8)[1] == 7

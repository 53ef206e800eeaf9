"""Which recordings are read, and how."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.training.data import ClipData, LabelledRecordings
from etram_pipeline.training.settings import TrainSettings

Record = Callable[..., LabelledRecordings]


def test_recordings_that_lack_frames_or_labels_are_not_chosen(record: Record) -> None:
    made = record(3)
    labels = {name: made.labels[name] for name in ("train/r1", "train/r2")}
    chosen = LabelledRecordings.choose(made.frames, labels, ["train/r0", "train/r1", "train/r9"])
    assert list(chosen.frames) == list(chosen.labels) == ["train/r1"]


def test_validation_reads_every_label_once(record: Record, settings: TrainSettings) -> None:
    val = record(3)
    data = ClipData(record(1), val, settings)
    read: list[tuple[str, int]] = []
    batch: SequenceBatch
    for batch in data.val_dataloader():
        assert batch.times_us is not None
        assert not batch.targets
        for t, lane in batch.keyframes.tolist():
            read.append((batch.recordings[lane], int(batch.times_us[t, lane])))
    expected = [(name, time) for name, frame in val.labels.items() for time in frame.times_us]
    assert sorted(read) == sorted(expected)


def test_training_continues_in_the_schedule_where_it_was_left(
    record: Record, settings: TrainSettings
) -> None:
    whole, rest = (ClipData(record(3), record(1), settings) for _ in range(2))
    rest.load_state_dict({"batches_done": 5})
    expected = [batch.times_us for batch in whole.train_dataloader()][5:]
    found = [batch.times_us for batch in rest.train_dataloader()]
    assert len(found) == settings.max_steps - 5
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.parametrize(("num_recordings", "num_ranks"), [(5, 2), (4, 3), (2, 3)])
def test_devices_share_validation_and_none_is_left_without(
    record: Record, settings: TrainSettings, num_recordings: int, num_ranks: int
) -> None:
    read: list[set[str]] = []
    for rank in range(num_ranks):
        data = ClipData(record(1), record(num_recordings), settings)
        device = SimpleNamespace(type="cpu")
        data.trainer = SimpleNamespace(  # type: ignore[assignment]
            global_rank=rank, world_size=num_ranks, strategy=SimpleNamespace(root_device=device)
        )
        read.append({name for batch in data.val_dataloader() for name in batch.recordings if name})
    assert set.union(*read) == {f"train/r{number}" for number in range(num_recordings)}
    assert all(read)
    assert sum(map(len, read)) == max(num_recordings, num_ranks)

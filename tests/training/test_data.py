"""Which recordings are read, and how."""

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from etram_pipeline.clips.schedule import SamplingSettings
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


def test_frames_that_show_a_rare_class_are_read_more_often(
    record: Record, settings: TrainSettings
) -> None:
    """One of 24 frames shows class 1, so that it is read sqrt(24 * 9 / 24) = 3 times."""
    made = record(2)
    made.labels["train/r1"].labels["class_id"][7] = 1
    rare_time = int(made.labels["train/r1"].times_us[7])
    sampling = SamplingSettings(kind="random", repeat_threshold=9 / 24)
    once_each = len([w for f in made.frames.values() for w in f.frame_windows if w >= 3])
    changes = {"sampling": sampling, "lanes": 1, "max_steps": once_each + 2}
    data = ClipData(made, record(1), settings.model_copy(update=changes))
    ends = [
        (batch.recordings[0], int(batch.times_us[-1, 0]))
        for batch in data.train_dataloader()
        if batch.times_us is not None
    ]
    read = Counter(ends)
    assert read["train/r1", rare_time] == 3
    assert sorted(set(read.values())) == [1, 3]
    assert made.classes_by_frame()["train/r1"][7].tolist() == [1]


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

"""Frames with rare classes are read more often, and the log tells what that changes."""

import logging
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from etram_pipeline.clips.representations import RepresentationsInMemory
from etram_pipeline.clips.schedule import SamplingSettings
from etram_pipeline.training.data import ClipData, LabelledRecordings
from etram_pipeline.training.repeats import repeat_factors
from etram_pipeline.training.settings import TrainSettings

Record = Callable[..., LabelledRecordings]
NAMES = ("car", "tram", "bus")


@pytest.fixture
def with_a_tram(record: Record) -> LabelledRecordings:
    """Two recordings of 12 labelled frames each; one frame shows a tram, the others a car."""
    made = record(2)
    made.labels["train/r1"].labels["class_id"][7] = 1
    return made


def sampled(settings: TrainSettings, **changes: object) -> TrainSettings:
    sampling = SamplingSettings.model_validate({"kind": "random", **changes})
    return settings.model_copy(update={"sampling": sampling, "lanes": 1})


def readings(
    made: LabelledRecordings, settings: TrainSettings, num_batches: int
) -> Counter[tuple[str, int]]:
    """How often the first batches read each labelled window."""
    settings = settings.model_copy(update={"max_steps": num_batches})
    data = ClipData(made, made, settings, repeat_factors(made, NAMES, settings))
    return Counter(
        (batch.recordings[0], int(batch.times_us[-1, 0]))
        for batch in data.train_dataloader()
        if batch.times_us is not None
    )


@pytest.mark.parametrize(("clip_length", "num_clips", "num_rare"), [(4, 22, 2), (1, 24, 1)])
def test_frames_that_show_a_rare_class_are_read_more_often(
    with_a_tram: LabelledRecordings,
    settings: TrainSettings,
    caplog: pytest.LogCaptureFixture,
    clip_length: int,
    num_clips: int,
    num_rare: int,
) -> None:
    """One of 24 frames shows class 1, so that its factor is sqrt(24 * 9 / 24) = 3.

    Clips of four windows have two labelled frames, so that two clips show it. With clips of one
    window, every labelled frame is a clip, and the factors are those of single frames.
    """
    settings = sampled(settings, repeat_threshold=9 / 24)
    settings = settings.model_copy(update={"clip_length": clip_length})
    caplog.set_level(logging.INFO)
    num_readings = num_clips + 2 * num_rare
    read = readings(with_a_tram, settings, num_readings)
    assert len(read) == num_clips
    rare_time = int(with_a_tram.labels["train/r1"].times_us[7])
    assert read["train/r1", rare_time] == 3
    assert Counter(read.values()) == {1: num_clips - num_rare, 3: num_rare}
    told = [record.getMessage() for record in caplog.records]
    ratio = "1.18" if clip_length == 4 else "1.08"
    assert told == [
        "repeat factors of classes: tram 3.00, car 1.00, bus – (no labels)",  # noqa: RUF001
        f"a pass over {num_clips} random clips reads {num_readings} on average "
        f"({ratio} times as many)",
    ]


def test_a_streamed_part_counts_as_one(
    with_a_tram: LabelledRecordings, settings: TrainSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """Each recording is one part; that with the tram is read three times."""
    caplog.set_level(logging.INFO)
    mixed = sampled(settings, kind="mixed", repeat_threshold=9 / 24)
    repeat_factors(with_a_tram, NAMES, mixed.model_copy(update={"lanes": 2}))
    told = [record.getMessage() for record in caplog.records]
    assert told[1:] == [
        "a pass over 2 streamed parts reads 4 on average (2.00 times as many)",
        "a pass over 22 random clips reads 26 on average (1.18 times as many)",
    ]


def test_a_threshold_that_repeats_nothing_is_told_with_one_that_would(
    with_a_tram: LabelledRecordings, settings: TrainSettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings = sampled(settings, repeat_threshold=0.001)
    factors = repeat_factors(with_a_tram, NAMES, settings)
    assert factors is not None
    assert {factor for each in factors.values() for factor in each.tolist()} == {1.0}
    (told,) = caplog.records
    assert told.levelname == "WARNING"
    assert told.getMessage() == (
        "train.sampling.repeat_threshold=0.001 repeats nothing: every class is in a larger share "
        "of the 24 labelled frames; the rarest, tram, is in 0.04167 of them: set a larger "
        "threshold than this"
    )


def test_without_a_threshold_nothing_is_repeated_or_told(
    with_a_tram: LabelledRecordings, settings: TrainSettings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert repeat_factors(with_a_tram, NAMES, sampled(settings)) is None
    assert not caplog.records


def test_recordings_of_all_sizes_share_the_factors(
    with_a_tram: LabelledRecordings, settings: TrainSettings
) -> None:
    """Among all frames the tram has the factor 3, among those of its size only sqrt(4.5).

    Of each size, as many frames are read as it has: 12 and 14 of 26.
    """
    small = with_a_tram.frames["train/r0"]
    assert isinstance(small, RepresentationsInMemory)
    frames = {
        "train/r0": RepresentationsInMemory(
            small.images[:, :, :16, :16], small.stop_us, small.frame_windows
        ),
        "train/r1": with_a_tram.frames["train/r1"],
    }
    made = LabelledRecordings(frames, with_a_tram.labels)
    settings = sampled(settings, repeat_threshold=9 / 24).model_copy(update={"clip_length": 1})
    read = readings(made, settings, 26)
    by_recording = Counter(name for name, _ in read.elements())
    assert by_recording == {"train/r0": 12, "train/r1": 14}
    assert max(read.values()) == 3
    assert len(read) == 24


def test_single_frames_are_read_from_the_first_window_on(
    record: Record, settings: TrainSettings
) -> None:
    made = record(1)
    early = made.frames["train/r0"]
    assert isinstance(early, RepresentationsInMemory)
    windows = early.frame_windows - 1  # 0, 2, ...
    frames = RepresentationsInMemory(early.images, early.stop_us, windows)
    made = LabelledRecordings({"train/r0": frames}, made.labels)
    settings = sampled(settings).model_copy(update={"clip_length": 1})
    read = readings(made, settings, len(windows))
    assert read == Counter({("train/r0", int(early.stop_us[window])): 1 for window in windows})
    assert np.min(windows) == 0

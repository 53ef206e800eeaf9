"""Schedules of clips, against those of the RVT reference where it has them."""

import json
from collections import Counter
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from jaxtyping import Float64, Int64

from etram_pipeline.clips.schedule import (
    Clip,
    Lanes,
    Part,
    SamplingSettings,
    Step,
    labelled_span,
    random_parts,
    stream_parts,
    training_schedule,
    whole_schedule,
)
from etram_pipeline.core.errors import StoreError

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "golden/data/pipeline.json").read_text()
)
LENGTH = GOLDEN["sequence_length"]
TOYS = sorted(GOLDEN["toy_sequences"])

Windows = dict[str, Int64[np.ndarray, " F"]]


@pytest.fixture
def toys() -> Windows:
    """Labelled windows of the toy recordings."""
    return {
        name: np.array(toy["label_repr_idx"], np.int64)
        for name, toy in GOLDEN["toy_sequences"].items()
    }


def as_reference(clip: Clip, labelled: Int64[np.ndarray, " F"]) -> dict[str, Any]:
    """A clip in the words of the golden file."""
    num_windows = clip.stop - clip.start
    num_padded = LENGTH - num_windows
    inside = labelled[(labelled >= clip.start) & (labelled < clip.stop)]
    return {
        "is_first": clip.starts,
        "frames": [*range(clip.start, clip.stop), *["pad"] * num_padded],
        "is_padded": [False] * num_windows + [True] * num_padded,
        "labelled_steps": (inside - clip.start).tolist(),
    }


def take(
    steps: int, sampling: SamplingSettings, lanes: Lanes, windows: Windows, seed: int = 0
) -> list[Step]:
    return list(islice(training_schedule(windows, sampling, lanes, LENGTH, seed), steps))


STREAM = SamplingSettings(kind="stream")
RANDOM = SamplingSettings(kind="random")
MIXED = SamplingSettings(kind="mixed")


@pytest.mark.parametrize("name", TOYS)
def test_parts_to_stream_are_those_of_the_reference(name: str, toys: Windows) -> None:
    parts = stream_parts(name, toys[name], LENGTH)
    assert [[as_reference(clip, toys[name]) for clip in part] for part in parts] == GOLDEN[
        "train_stream"
    ][name]


@pytest.mark.parametrize("name", TOYS)
def test_random_clips_are_those_of_the_reference(name: str, toys: Windows) -> None:
    clips = [clip for part in random_parts(name, toys[name], LENGTH) for clip in part]
    expected = GOLDEN["random"]["False"][name]
    assert [as_reference(clip, toys[name]) for clip in clips] == expected


@pytest.mark.parametrize("name", TOYS)
def test_recordings_are_evaluated_in_the_clips_of_the_reference(name: str, toys: Windows) -> None:
    num_windows = GOLDEN["toy_sequences"][name]["n_repr"]
    span = labelled_span(toys[name], num_windows, LENGTH)
    steps = whole_schedule({name: span}, Lanes(1), LENGTH)
    clips = [clip for step in steps for clip in step if clip]
    assert [as_reference(clip, toys[name]) for clip in clips] == GOLDEN["eval_stream"][name]


@pytest.mark.parametrize("case", sorted(GOLDEN["mixed_split"]))
def test_mixed_batches_are_split_as_in_the_reference(case: str) -> None:
    lanes = int(case.partition("_")[0].removeprefix("batch"))
    assert MIXED.num_random(lanes) == GOLDEN["mixed_split"][case]["bs_random"]


@pytest.mark.parametrize("lanes", [1, 2, 3, 7])
def test_every_part_is_read_once_before_any_is_read_again(lanes: int, toys: Windows) -> None:
    parts = [part for name in TOYS for part in stream_parts(name, toys[name], LENGTH)]
    num_clips = sum(map(len, parts))
    read = Counter(
        (clip.recording, clip.start)
        for step in take(num_clips, STREAM, Lanes(lanes), toys)
        for clip in step
        if clip and clip.draw[0] == 0
    )
    assert read == Counter((clip.recording, clip.start) for part in parts for clip in part)


def test_a_lane_reads_a_part_to_its_end_before_the_next(toys: Windows) -> None:
    for lane in zip(*take(60, STREAM, Lanes(3), toys), strict=True):
        for before, after in pairwise(lane):
            assert after.starts or (after.recording, after.start) == (before.recording, before.stop)


def test_every_clip_to_train_on_holds_a_label(toys: Windows) -> None:
    clips = {clip for step in take(100, MIXED, Lanes(4), toys) for clip in step if clip}
    assert all(as_reference(clip, toys[clip.recording])["labelled_steps"] for clip in clips)


def test_all_clips_of_a_part_share_a_draw_and_the_next_pass_has_another(toys: Windows) -> None:
    draws: dict[tuple[str, int], set[tuple[int, int]]] = {}
    lane: Part = tuple(step[0] for step in take(80, STREAM, Lanes(1), toys) if step[0])
    for before, after in pairwise(lane):
        assert after.starts == (after.draw != before.draw)
        draws.setdefault((after.recording, after.start), set()).add(after.draw)
    assert len(draws["q1", 5]) > 1


def test_the_order_follows_from_the_seed(toys: Windows) -> None:
    assert take(50, MIXED, Lanes(4), toys, seed=1) == take(50, MIXED, Lanes(4), toys, seed=1)
    assert take(50, MIXED, Lanes(4), toys, seed=1) != take(50, MIXED, Lanes(4), toys, seed=2)


def test_passes_have_different_orders(toys: Windows) -> None:
    lane = [step[0] for step in take(200, STREAM, Lanes(1), toys)]
    orders = [[c.draw[1] for c in lane if c and c.starts and c.draw[0] == n] for n in range(3)]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(orders[2])
    assert len({tuple(order) for order in orders}) == 3


def test_processes_read_disjoint_lanes_of_one_schedule(toys: Windows) -> None:
    ranks = [take(40, MIXED, Lanes(2, rank, num_ranks=3), toys) for rank in range(3)]
    streams = take(40, STREAM, Lanes(3), toys)
    randoms = take(40, RANDOM, Lanes(3), toys)
    for step in range(40):
        assert tuple(rank[step][0] for rank in ranks) == streams[step]
        assert tuple(rank[step][1] for rank in ranks) == randoms[step]


def test_one_recording_fills_any_number_of_lanes(toys: Windows) -> None:
    steps = take(20, STREAM, Lanes(4), {"q1": toys["q1"]})
    assert all(clip and clip.recording == "q1" for step in steps for clip in step)


def test_without_a_full_clip_mixed_lanes_all_stream(toys: Windows) -> None:
    steps = take(3, MIXED, Lanes(2), {"q3": toys["q3"]})
    assert {clip.sampling for step in steps for clip in step if clip} == {"stream"}
    with pytest.raises(StoreError, match="lower clip_length"):
        take(1, RANDOM, Lanes(2), {"q3": toys["q3"]})


def test_nothing_to_train_on_is_an_error() -> None:
    with pytest.raises(StoreError, match="no labelled window to train on in 1 recording"):
        take(1, MIXED, Lanes(2), {"empty": np.empty(0, np.int64)})


def factors_of(windows: Windows, rare: tuple[str, int]) -> dict[str, Float64[np.ndarray, " F"]]:
    """The factor of the window `rare` of a recording is 2.5, and that of every other one 1."""
    return {
        name: np.array([2.5 if (name, window) == rare else 1.0 for window in labelled.tolist()])
        for name, labelled in windows.items()
    }


@pytest.mark.parametrize("sampling", ["stream", "random"])
def test_parts_with_a_rare_class_are_read_more_often(
    sampling: Literal["stream", "random"], toys: Windows
) -> None:
    rare = ("q1", int(toys["q1"][-1]))
    settings = SamplingSettings(kind=sampling, repeat_threshold=0.5)
    schedule = training_schedule(toys, settings, Lanes(1), LENGTH, 0, factors_of(toys, rare))
    clips = [clip for (clip,) in islice(schedule, 3000) if clip]
    last_pass = clips[-1].draw[0]
    times: dict[bool, list[int]] = {True: [], False: []}
    for clip, count in Counter(
        replace(clip, draw=(clip.draw[0], 0)) for clip in clips if clip.draw[0] < last_pass
    ).items():
        is_rare = clip.recording == rare[0] and clip.start <= rare[1] < clip.stop
        times[is_rare].append(count)
    assert set(times[True]) == {2, 3}
    assert np.mean(times[True]) == pytest.approx(2.5, abs=0.15)
    assert sampling == "stream" or set(times[False]) == {1}
    assert len(set(clips)) == len(clips)


def test_without_a_threshold_the_order_is_what_it_always_was(toys: Windows) -> None:
    """Computed here as it was before parts could be repeated."""
    parts = [part for name in TOYS for part in random_parts(name, toys[name], LENGTH)]
    expected = [
        (parts[index][0].recording, parts[index][0].start, (number, index))
        for number in range(3)
        for index in np.random.default_rng([5, 1, number]).permutation(len(parts)).tolist()
    ]
    for given in (None, factors_of(toys, ("q1", int(toys["q1"][0])))):
        steps = islice(training_schedule(toys, RANDOM, Lanes(1), LENGTH, 5, given), len(expected))
        found = [(clip.recording, clip.start, clip.draw) for (clip,) in steps if clip]
        assert found == expected


def test_repeating_parts_needs_their_factors(toys: Windows) -> None:
    with pytest.raises(ValueError, match="repeat_threshold needs the repeat factor"):
        take(1, SamplingSettings(repeat_threshold=0.1), Lanes(2), toys)


@pytest.mark.parametrize("num_ranks", [1, 3])
@pytest.mark.parametrize("lanes", [1, 2, 9])
def test_any_number_of_recordings_is_read_whole_in_any_number_of_lanes(
    lanes: int, num_ranks: int
) -> None:
    spans = {f"r{index}": range(index % 3, 7 * index) for index in range(8)}
    read: Counter[tuple[str, int]] = Counter()
    for rank in range(num_ranks):
        for step in whole_schedule(spans, Lanes(lanes, rank, num_ranks), LENGTH):
            assert len(step) == lanes
            assert any(step)
            for clip in filter(None, step):
                assert clip.starts == (clip.start == spans[clip.recording].start)
                read.update((clip.recording, window) for window in range(clip.start, clip.stop))
    assert read == Counter((name, window) for name, span in spans.items() for window in span)


def test_lanes_are_filled_evenly() -> None:
    spans = {f"r{index}": range(10 * (1 + index % 4)) for index in range(40)}
    steps = whole_schedule(spans, Lanes(4), LENGTH)
    num_clips = sum(clip is not None for step in steps for clip in step)
    assert len(steps) <= num_clips / 4 + 4


def test_a_recording_without_labels_is_not_read_for_them() -> None:
    assert not labelled_span(np.empty(0, np.int64), 100, LENGTH)


def test_weights_that_leave_no_lane_are_refused() -> None:
    with pytest.raises(ValueError, match="both 0"):
        SamplingSettings(stream_weight=0, random_weight=0)

"""Recordings of several sizes in one schedule."""

import itertools
from collections.abc import Iterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from etram_pipeline.clips.representations import RepresentationsInMemory
from etram_pipeline.clips.schedule import Clip, Step
from etram_pipeline.clips.sizes import interleaved, names_by_size, windows_to_stream


def frames(height: int, width: int) -> RepresentationsInMemory:
    return RepresentationsInMemory(
        np.zeros((3, 2, height, width), np.uint8), np.arange(3), np.array([1])
    )


def steps(name: str) -> Iterator[Step]:
    for start in itertools.count():
        yield (Clip(name, start, start + 1, starts=False, sampling="stream"),)


def test_recordings_are_grouped_by_size_smallest_first() -> None:
    stored = {"b": frames(24, 32), "c": frames(12, 16), "a": frames(24, 32), "d": frames(24, 30)}
    assert names_by_size(stored) == [("c",), ("d",), ("b", "a")]
    assert names_by_size({}) == []


def test_the_windows_of_a_pass_are_those_around_labels() -> None:
    windows = {"a": np.array([2, 4, 40]), "b": np.array([9])}
    # Of `a` windows 0 to 4 and 36 to 40, of `b` windows 5 to 9.
    assert windows_to_stream(windows, 5) == 15
    assert windows_to_stream({"a": np.zeros(0, np.int64)}, 5) == 0


def test_windows_of_a_pass_count_as_often_as_they_are_read() -> None:
    """Windows 0 to 4 once and 36 to 40 three times; windows 5 to 9 one and a half times."""
    windows = {"a": np.array([2, 4, 40]), "b": np.array([9])}
    factors = {"a": np.array([1.0, 1.0, 3.0]), "b": np.array([1.5])}
    assert windows_to_stream(windows, 5, factors) == round(5 + 15 + 7.5)


@given(shares=st.lists(st.integers(1, 1000), min_size=1, max_size=5), count=st.integers(1, 400))
def test_turns_keep_to_the_shares_at_every_moment(shares: list[int], count: int) -> None:
    schedules = [steps(str(each)) for each in range(len(shares))]
    taken = [step[0] for step in itertools.islice(interleaved(schedules, shares), count)]
    for each, share in enumerate(shares):
        own = [clip.start for clip in taken if clip and clip.recording == str(each)]
        assert own == list(range(len(own)))
        assert abs(len(own) - count * share / sum(shares)) <= len(shares)


def test_a_small_share_has_its_turn_soon() -> None:
    turns = itertools.islice(interleaved([steps("a"), steps("b")], [3, 1]), 8)
    assert [clip.recording for step in turns for clip in step if clip] == list("aabaaaba")
